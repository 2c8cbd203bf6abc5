import fs from 'node:fs';
import net from 'node:net';

/**
 * Calls `onGone` once when the process at the other end of the pipe given by ROOMY_LIFELINE_FD has ended, however it
 * ended. Does not keep this process running. Does nothing when the variable is unset. Children must not inherit the
 * variable, so it is removed.
 */
export function watchLifeline(onGone: () => void): void {
  const descriptor = Number(process.env['ROOMY_LIFELINE_FD']);
  delete process.env['ROOMY_LIFELINE_FD'];
  if (!Number.isInteger(descriptor) || descriptor < 3) return;
  if (!fs.fstatSync(descriptor, { throwIfNoEntry: false })) return;
  const pipe = new net.Socket({ fd: descriptor, readable: true, writable: false });
  let told = false;
  const tell = () => {
    if (!told) onGone();
    told = true;
  };
  pipe.on('close', tell).on('end', tell).on('error', tell);
  pipe.resume();
  pipe.unref();
}
