import { readFile } from "node:fs/promises";
import type { Finding, Patient } from "./finding.ts";

/** What a server needs besides connections: files, epoll, standard streams. */
const descriptorsReserved = 100;
const descriptorsWanted = 10_000;

/** `process.open-files`: one descriptor a connection. Of this shell: a service manager sets its own. */
export async function checkOpenFiles(): Promise<readonly Finding[]> {
  const text = await readFile("/proc/self/limits", "utf8").catch(() => undefined);
  const soft = /^Max open files\s+(\d+|unlimited)/mu.exec(text ?? "")?.[1];
  if (soft === undefined) return [];
  const id = "process.open-files";
  if (soft === "unlimited" || Number(soft) >= descriptorsWanted)
    return [{ id, status: "ok", text: `open-file limit ${soft}` }];
  const fits = Math.max(0, Number(soft) - descriptorsReserved);
  const found = `open-file limit ${soft}: fits about ${fits} connections`;
  return [{ id, status: "warn", text: found, fix: "raise it: ulimit -n, or LimitNOFILE in the service" }];
}

/** `process.root` */
export async function checkRoot(): Promise<readonly Finding[]> {
  const id = "process.root";
  if (process.getuid?.() !== 0) return [{ id, status: "ok", text: "not running as root" }];
  return [{ id, status: "warn", text: "running as root", fix: "run the server as a user of its own" }];
}

/** The day this check was written: a clock before it is wrong. */
const clockMin = Date.UTC(2025, 0, 1);

/** `clock.synchronised`: certificates, expiry and audit times hang on it. */
export async function checkClock({ now }: Patient): Promise<readonly Finding[]> {
  const id = "clock.synchronised";
  if (now < clockMin) {
    return [
      {
        id,
        status: "fail",
        text: `the clock says ${new Date(now).toISOString()}`,
        fix: "set the clock: certificates would be refused",
      },
    ];
  }
  // systemd-timesyncd leaves this file when it has set the clock; other daemons do not, so its lack says nothing.
  const synchronised = await readFile("/run/systemd/timesync/synchronized").then(
    () => true,
    () => false,
  );
  return [
    {
      id,
      status: "ok",
      text: `the clock says ${new Date(now).toISOString().slice(0, 16)}Z${synchronised ? ", synchronised" : ""}`,
    },
  ];
}

/** `node.version`: what the package says it needs. */
export async function checkNode(): Promise<readonly Finding[]> {
  const id = "node.version";
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19))
    return [{ id, status: "ok", text: `Node.js ${process.versions.node}` }];
  return [{ id, status: "fail", text: `Node.js ${process.versions.node}`, fix: "use 20.19 or newer" }];
}

/** Settings that weaken a server, as its environment would give them. */
const weakening: readonly (readonly [variable: string, what: string])[] = [
  ["MESS_INSECURE_DEV", "serves without TLS and without authentication"],
  ["NODE_TLS_REJECT_UNAUTHORIZED", "switches certificate checks off"],
  ["SSLKEYLOGFILE", "may write the keys of TLS connections to a file"],
];

/** `options.weakening` */
export async function checkWeakening({ env, local }: Patient): Promise<readonly Finding[]> {
  const id = "options.weakening";
  const found = Object.keys(env)
    .filter((name) => name.startsWith("MESS_INSECURE_") || weakening.some(([variable]) => variable === name))
    .filter((name) => isOn(name, env[name]))
    .map((name): Finding => {
      const what = weakening.find(([variable]) => variable === name)?.[1] ?? "weakens the server";
      return { id, status: "warn", text: `${name} is set: it ${what}`, fix: `unset ${name}` };
    });
  if (local?.insecure === true) {
    const text = "the server runs with --insecure-dev: no TLS, no authentication";
    found.push({ id, status: "warn", text, fix: "start it without --insecure-dev for anything but experiments" });
  }
  return found.length > 0 ? found : [{ id, status: "ok", text: "no weakening option is set" }];
}

function isOn(name: string, value: string | undefined): boolean {
  if (name === "NODE_TLS_REJECT_UNAUTHORIZED") return value === "0";
  return value !== undefined && value !== "" && value !== "0" && value !== "false";
}
