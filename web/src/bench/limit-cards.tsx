import { BUSY, digits, steadinessLine } from 'zeroseg/bench';
import { limits, report } from './state.ts';

/** What the device can do at most. */
export function LimitCards() {
  if (!limits.value) return null;
  const { flopsPerSecond, flopsVariant, bytesPerSecond, commandBytesPerSecond, dispatchUs, submitUs, hostUs } =
    limits.value;
  const cards = [
    { title: 'Multiply-adds', value: digits(flopsPerSecond / 1e9), unit: 'GFLOP/s', more: flopsVariant },
    {
      title: 'Bandwidth',
      value: digits(bytesPerSecond / 1e9),
      unit: 'GB/s',
      more: `${digits(commandBytesPerSecond / 1e9)} by copyBufferToBuffer`,
    },
    { title: 'A launch', value: digits(dispatchUs), unit: 'µs', more: `${digits(submitUs)} with a submit of its own` },
    { title: 'Host time a launch', value: digits(hostUs), unit: 'µs', more: 'of a step that is replayed' },
  ];
  const done = report.value;
  return (
    <section class="limits" aria-labelledby="limits">
      <h3 class="visually-hidden" id="limits">
        Limits of this device
      </h3>
      <ul class="limit-cards">
        {cards.map(({ title, value, unit, more }) => (
          <li key={title} class="card">
            <span class="limit-title">{title}</span>
            <span class="limit-value">
              {value} <small>{unit}</small>
            </span>
            <span class="hint">{more}</span>
          </li>
        ))}
      </ul>
      {done && done.probes.length > 0 && (
        <p
          class={done.wobble > BUSY ? 'notice notice-problem' : 'hint'}
          role={done.wobble > BUSY ? 'alert' : undefined}
        >
          {capital(steadinessLine(done.probes, done.wobble))}
        </p>
      )}
    </section>
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
