import { readFileSync } from "node:fs";
import { connect, type Mess } from "@mess/client";

/** A client as the environment says: MESS_URL, MESS_CA (file), MESS_KEY (`id.secret`), like the command line of mess. */
export function connectAsTold(): Promise<Mess> {
  const { MESS_URL = "mqtts://localhost:8883", MESS_CA, MESS_KEY } = process.env;
  return connect(MESS_URL, {
    ...(MESS_CA !== undefined && { ca: readFileSync(MESS_CA) }),
    ...(MESS_KEY !== undefined && { auth: { token: MESS_KEY } }),
  });
}

/** Fires when the program is asked to end, so that it may finish what it has begun. */
export function untilStopped(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}
