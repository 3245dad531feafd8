import { Optimizer } from './optimizer.ts';

// What `console.log(optimizer)` prints in Node: see `tensor/run/inspect.ts`.
Object.defineProperty(Optimizer.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  configurable: true,
  value(this: Optimizer): string {
    const settings = Object.entries(this.settings)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}: ${typeof value === 'function' ? 'a function' : value}`);
    const weights = this.parameters.reduce((sum, { size }) => sum + size, 0);
    return `${this.constructor.name} { ${settings.join(', ')} } (${this.parameters.length} parameters, ${weights} weights)`;
  },
});
