import type { DiskStat } from "./host.ts";
import type { SeededRandom } from "./simulated-random.ts";

/** A failed system call, with its errno name. Satisfies `DiskError`. */
export class SimulatedDiskError extends Error {
  readonly code: string;
  constructor(code: string, operation: string, path: string) {
    super(`${code}: ${operation} ${path}`);
    this.name = "SimulatedDiskError";
    this.code = code;
  }
}

/** Bytes that grow; everything past `size` is zero. */
class GrowingBytes {
  buffer: Buffer = Buffer.alloc(0);
  size = 0;

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.buffer.length) {
      const larger = Buffer.alloc(Math.max(end, this.buffer.length * 2, 4_096));
      this.buffer.copy(larger, 0, 0, this.size);
      this.buffer = larger;
    }
    this.buffer.set(bytes, position);
    if (end > this.size) this.size = end;
  }

  copy(): GrowingBytes {
    const same = new GrowingBytes();
    same.buffer = Buffer.from(this.buffer.subarray(0, this.size));
    same.size = this.size;
    return same;
  }
}

/** A write that reached the page cache and no sync yet. */
export interface PendingWrite {
  readonly order: number;
  readonly position: number;
  readonly bytes: Buffer;
}

export class FileNode {
  readonly kind = "file" as const;
  mode = 0o600;
  uid: number;
  links = 1;
  /** What the platter holds. */
  durable: GrowingBytes = new GrowingBytes();
  /** What a read sees. */
  cache: GrowingBytes = new GrowingBytes();
  pending: PendingWrite[] = [];
  /** A sync failed, so the cache may show what will never be durable (RELIABILITY F8). */
  syncFailed = false;

  constructor(uid: number) {
    this.uid = uid;
  }

  /** Makes the writes up to `order` durable: all, none, or a random part of them. Those left out are forgotten. */
  sync(order: number, keep: (write: PendingWrite) => Buffer | undefined): void {
    const rest: PendingWrite[] = [];
    for (const write of this.pending) {
      if (write.order > order) {
        rest.push(write);
        continue;
      }
      const kept = keep(write);
      if (kept !== undefined) this.durable.write(kept, write.position);
    }
    this.pending = rest;
  }

  /** The kernel evicts clean pages: what a failed sync marked clean shows the platter again. */
  evict(): void {
    this.cache = this.durable.copy();
    for (const write of this.pending) this.cache.write(write.bytes, write.position);
  }

  copy(): FileNode {
    const same = new FileNode(this.uid);
    same.mode = this.mode;
    same.links = this.links;
    same.durable = this.durable.copy();
    same.cache = this.cache.copy();
    same.pending = [...this.pending];
    same.syncFailed = this.syncFailed;
    return same;
  }
}

export class LinkNode {
  readonly kind = "symlink" as const;
  mode = 0o777;
  uid: number;
  links = 1;
  readonly target: string;
  constructor(uid: number, target: string) {
    this.uid = uid;
    this.target = target;
  }
}

export class DirectoryNode {
  readonly kind = "directory" as const;
  mode = 0o700;
  uid: number;
  links = 2;
  entries: Map<string, Node> = new Map();
  durable: Map<string, Node> = new Map();

  constructor(uid: number) {
    this.uid = uid;
  }
}

export type Node = FileNode | DirectoryNode | LinkNode;

/** A create, rename or remove that no directory sync has covered yet. */
export interface EntryChange {
  readonly order: number;
  readonly directories: readonly DirectoryNode[];
  /** Repeats the change on the durable entries. */
  apply(): void;
}

function splitPath(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** The whole simulated file system: nodes, their unsynced writes, and the unsynced directory entries. */
export class SimulatedFiles {
  root: DirectoryNode;
  changes: EntryChange[] = [];
  capacity: number;
  readonly uid: number;
  #order = 0;

  constructor(capacity: number, uid: number) {
    this.capacity = capacity;
    this.uid = uid;
    this.root = new DirectoryNode(uid);
  }

  nextOrder(): number {
    return ++this.#order;
  }

  get lastOrder(): number {
    return this.#order;
  }

  find(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    for (const part of splitPath(path)) {
      if (node?.kind !== "directory") return undefined;
      node = node.entries.get(part);
    }
    return node;
  }

  directory(path: string, operation: string): DirectoryNode {
    const node = this.find(path);
    if (node === undefined) throw new SimulatedDiskError("ENOENT", operation, path);
    if (node.kind !== "directory") throw new SimulatedDiskError("ENOTDIR", operation, path);
    return node;
  }

  /** The directory that holds the last name of `path`, and that name. */
  parent(path: string, operation: string): { directory: DirectoryNode; name: string } {
    const parts = splitPath(path);
    const name = parts.pop();
    if (name === undefined) throw new SimulatedDiskError("EINVAL", operation, path);
    return { directory: this.directory(parts.join("/"), operation), name };
  }

  link(directory: DirectoryNode, name: string, node: Node): void {
    directory.entries.set(name, node);
    const apply = (): void => void directory.durable.set(name, node);
    this.changes.push({ order: this.nextOrder(), directories: [directory], apply });
  }

  unlink(directory: DirectoryNode, name: string): void {
    directory.entries.delete(name);
    const apply = (): void => void directory.durable.delete(name);
    this.changes.push({ order: this.nextOrder(), directories: [directory], apply });
  }

  rename(from: string, to: string): void {
    const source = this.parent(from, "rename");
    const target = this.parent(to, "rename");
    const node = source.directory.entries.get(source.name);
    if (node === undefined) throw new SimulatedDiskError("ENOENT", "rename", from);
    source.directory.entries.delete(source.name);
    target.directory.entries.set(target.name, node);
    const apply = (): void => {
      source.directory.durable.delete(source.name);
      target.directory.durable.set(target.name, node);
    };
    const directories = [source.directory, target.directory];
    this.changes.push({ order: this.nextOrder(), directories, apply });
  }

  /** Makes the changes of `directory` up to `order` durable. */
  syncDirectory(directory: DirectoryNode, order: number): void {
    const covered = (change: EntryChange): boolean => change.order <= order && change.directories.includes(directory);
    for (const change of this.changes) if (covered(change)) change.apply();
    this.changes = this.changes.filter((change) => !covered(change));
  }

  stat(node: Node): DiskStat {
    const size = node.kind === "file" ? node.cache.size : node.kind === "directory" ? 4_096 : node.target.length;
    return { kind: node.kind, size, mode: node.mode, uid: node.uid, links: node.links };
  }

  /** Every file reachable now, with its path, in a fixed order. */
  files(): { path: string; file: FileNode }[] {
    const found: { path: string; file: FileNode }[] = [];
    const visit = (directory: DirectoryNode, prefix: string): void => {
      for (const name of [...directory.entries.keys()].sort()) {
        const node = directory.entries.get(name);
        if (node?.kind === "file") found.push({ path: `${prefix}/${name}`, file: node });
        if (node?.kind === "directory") visit(node, `${prefix}/${name}`);
      }
    };
    visit(this.root, "");
    return found;
  }

  /** What a file is called now; `undefined` when it was removed. */
  pathOf(node: FileNode): string | undefined {
    return this.files().find(({ file }) => file === node)?.path;
  }

  usedBytes(): number {
    let used = 0;
    for (const { file } of this.files()) used += file.cache.size;
    return used;
  }

  /** An independent copy, unsynced state included. */
  copy(): SimulatedFiles {
    const same = new SimulatedFiles(this.capacity, this.uid);
    same.#order = this.#order;
    const copies = new Map<Node, Node>();
    const copyOf = <T extends Node>(node: T): T => {
      const known = copies.get(node);
      if (known !== undefined) return known as T;
      const copy: Node =
        node.kind === "file" ? node.copy() : node.kind === "symlink" ? node : new DirectoryNode(node.uid);
      copies.set(node, copy);
      if (node.kind === "directory" && copy.kind === "directory") {
        copy.mode = node.mode;
        for (const [name, child] of node.entries) copy.entries.set(name, copyOf(child));
        for (const [name, child] of node.durable) copy.durable.set(name, copyOf(child));
      }
      return copy as T;
    };
    // Unsynced changes are folded into a durable "before" and a live "after": each directory as one change.
    same.root = copyOf(this.root);
    for (const [original, copy] of copies) {
      if (original.kind !== "directory" || copy.kind !== "directory") continue;
      if (!this.changes.some((change) => change.directories.includes(original))) continue;
      const after = new Map(copy.entries);
      const apply = (): void => {
        copy.durable = new Map(after);
      };
      same.changes.push({ order: same.nextOrder(), directories: [copy], apply });
    }
    return same;
  }

  /** Power is back: the live view is what was durable. */
  reload(): void {
    this.changes = [];
    const visit = (directory: DirectoryNode): void => {
      directory.entries = new Map(directory.durable);
      for (const node of directory.entries.values()) {
        if (node.kind === "directory") visit(node);
        if (node.kind === "file") {
          node.pending = [];
          node.syncFailed = false;
          node.cache = node.durable.copy();
        }
      }
    };
    visit(this.root);
  }

  /** Every file that could exist after a crash, unlinked ones included. */
  allFiles(random: SeededRandom | undefined): FileNode[] {
    const seen = new Set<Node>();
    const visit = (node: Node): void => {
      if (seen.has(node)) return;
      seen.add(node);
      if (node.kind !== "directory") return;
      for (const child of node.durable.values()) visit(child);
      for (const child of node.entries.values()) visit(child);
    };
    visit(this.root);
    const files = [...seen].filter((node): node is FileNode => node.kind === "file");
    return random === undefined ? files : random.shuffle(files);
  }
}
