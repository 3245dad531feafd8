export { writeFileAtomic } from './files.ts';
export { nodeFileSystem } from './node-file-system.ts';
