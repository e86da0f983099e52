import { access, constants, lstat, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { formatBytes } from "../units.ts";
import type { Finding, Patient } from "./finding.ts";

/** `data.permissions`: nobody but the owner may look into the directory (threat A9). */
export async function checkPermissions({ directory }: Patient): Promise<readonly Finding[]> {
  const id = "data.permissions";
  const found = await lstat(directory).catch(() => undefined);
  if (found === undefined) {
    return [
      {
        id,
        status: "warn",
        text: `no data directory at ${directory}`,
        fix: "start a server there, or name it with --data",
      },
    ];
  }
  if (found.isSymbolicLink() || !found.isDirectory()) {
    return [
      {
        id,
        status: "fail",
        text: `${directory} is not a plain directory`,
        fix: "use a directory, not a link or a file",
      },
    ];
  }
  if ((found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
    return [
      { id, status: "fail", text: `others may enter ${directory} (mode ${mode})`, fix: `chmod 700 ${directory}` },
    ];
  }
  const own = process.getuid?.();
  if (own !== undefined && own !== 0 && found.uid !== own) {
    return [
      { id, status: "fail", text: `${directory} belongs to user ${found.uid}`, fix: "run as that user, or chown it" },
    ];
  }
  return [{ id, status: "ok", text: `${directory} is for its owner alone` }];
}

/** `data.files`: so are the secrets in it. */
export async function checkFiles({ directory, local }: Patient): Promise<readonly Finding[]> {
  if (local === undefined) return [];
  const open: string[] = [];
  for (const name of ["admin.key", "server.json"]) {
    const found = await stat(join(directory, name)).catch(() => undefined);
    if (found !== undefined && (found.mode & 0o077) !== 0) open.push(name);
  }
  const id = "data.files";
  if (open.length === 0) return [{ id, status: "ok", text: "its secret files are for their owner alone" }];
  const paths = open.map((name) => join(directory, name)).join(" ");
  return [{ id, status: "fail", text: `others may read ${open.join(", ")}`, fix: `chmod 600 ${paths}` }];
}

/** `data.kek`: the key beside the directory, unreadable for others. */
export async function checkKek({ directory, local }: Patient): Promise<readonly Finding[]> {
  if (local === undefined) return [];
  const path = `${directory}.kek`;
  const id = "data.kek";
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    const text = `no key-encryption key at ${path}`;
    return [
      { id, status: "warn", text, fix: "right only if the server gets it by --kek-file, --kek-fd or --kek-command" },
    ];
  }
  if ((found.mode & 0o077) !== 0) {
    return [{ id, status: "fail", text: `others may read the key-encryption key ${path}`, fix: `chmod 400 ${path}` }];
  }
  const fix = "keep a copy elsewhere (mess kek export), and never back both up together";
  return [{ id, status: "ok", text: `key-encryption key beside the data, for its owner alone; ${fix}` }];
}

/** `data.admin-key`: once paired, the first key should not lie about. */
export async function checkAdminKey({ directory, local }: Patient): Promise<readonly Finding[]> {
  if (local === undefined) return [];
  const id = "data.admin-key";
  if (local.key === undefined) return [{ id, status: "ok", text: "the admin key does not lie in the data directory" }];
  const fix = "pair (mess pair), then move the file to a safe place";
  return [{ id, status: "warn", text: `the admin key still lies in ${join(directory, "admin.key")}`, fix }];
}

/** Room for some minutes of a busy server, and for a snapshot. */
const freeBytesMin = 1024 ** 3;
const freeShareMin = 0.1;

/** `disk.space` */
export async function checkDiskSpace({ directory, local }: Patient): Promise<readonly Finding[]> {
  if (local === undefined) return [];
  const { bavail, blocks, bsize } = await statfs(directory);
  const free = bavail * bsize;
  const share = blocks === 0 ? 0 : bavail / blocks;
  const id = "disk.space";
  const text = `${formatBytes(free)} free, ${Math.round((1 - share) * 100)} % used`;
  if (free < freeBytesMin / 8)
    return [{ id, status: "fail", text, fix: "free some space: publishers are refused when it ends" }];
  if (free < freeBytesMin || share < freeShareMin)
    return [{ id, status: "warn", text, fix: "free some space, or use a larger disk" }];
  return [{ id, status: "ok", text }];
}

/** `disk.writable` */
export async function checkWritable({ directory, local }: Patient): Promise<readonly Finding[]> {
  if (local === undefined) return [];
  const id = "disk.writable";
  try {
    await access(directory, constants.W_OK | constants.R_OK | constants.X_OK);
    return [{ id, status: "ok", text: "the data directory can be written" }];
  } catch {
    return [
      {
        id,
        status: "fail",
        text: "the data directory cannot be written by this user",
        fix: "run as its owner; is the disk read-only?",
      },
    ];
  }
}
