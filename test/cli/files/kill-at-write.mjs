// Loaded before a program (`node --import`): ends it with SIGKILL at its n-th change to the disk, n out of KILL_AT. A write is
// cut in half first, as a kill in its middle would leave it. With COUNT, a file's name, it writes there how many there were.
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const killAt = Number(process.env.KILL_AT ?? 0);
let changes = 0;

function isLast() {
  changes++;
  return changes === killAt;
}

function die() {
  process.kill(process.pid, 'SIGKILL');
}

for (const name of ['mkdir', 'rename', 'rm', 'rmdir', 'unlink', 'truncate', 'copyFile']) {
  const change = promises[name];
  promises[name] = (...args) => (isLast() ? die() : change(...args));
}
const { open, writeFile, appendFile } = promises;
promises.appendFile = async (path, data, ...rest) => {
  if (!isLast()) return appendFile(path, data, ...rest);
  await appendFile(path, data.slice(0, data.length >> 1), ...rest);
  die();
};
promises.writeFile = async (path, data, ...rest) => {
  if (!isLast()) return writeFile(path, data, ...rest);
  await writeFile(path, data.slice(0, data.length >> 1), ...rest);
  die();
};
promises.open = async (path, flags = 'r', ...rest) => {
  const isChange = typeof flags === 'number' ? (flags & fs.constants.O_CREAT) !== 0 : flags !== 'r';
  if (isChange && isLast()) die();
  const handle = await open(path, flags, ...rest);
  const { write, appendFile, truncate, sync } = handle;
  handle.write = async (data, ...where) => {
    if (!isLast()) return write.call(handle, data, ...where);
    await write.call(handle, data.slice(0, data.length >> 1));
    die();
  };
  handle.appendFile = async (data) => {
    if (!isLast()) return appendFile.call(handle, data);
    await appendFile.call(handle, data.slice(0, data.length >> 1));
    die();
  };
  handle.truncate = (...to) => (isLast() ? die() : truncate.call(handle, ...to));
  handle.sync = () => (isLast() ? die() : sync.call(handle));
  return handle;
};
syncBuiltinESMExports();

process.on('exit', () => {
  if (process.env.COUNT) fs.writeFileSync(process.env.COUNT, String(changes));
});
