import { type Endpoint, openStream } from "./streams.ts";

/** Sends bytes on a new connection and returns all bytes that came until the server closed (or the deadline). */
export async function exchange(
  endpoint: Endpoint,
  bytes: Buffer,
  milliseconds = 4_000,
): Promise<{ answer: Buffer; closed: boolean }> {
  let answer = Buffer.alloc(0);
  let finish: (closed: boolean) => void = () => {};
  const end = new Promise<boolean>((resolve) => {
    finish = resolve;
  });
  const stream = await openStream(endpoint, {
    bytes: (more) => {
      answer = Buffer.concat([answer, more]);
    },
    closed: () => finish(true),
  });
  const timer = setTimeout(() => finish(false), milliseconds);
  stream.write(bytes);
  const closed = await end;
  clearTimeout(timer);
  stream.destroy();
  return { answer, closed };
}
