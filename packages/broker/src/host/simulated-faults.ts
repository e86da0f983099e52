/** What a simulated disk can be asked to do. */
export type DiskOperation =
  | "open"
  | "create"
  | "stat"
  | "list"
  | "makeDirectory"
  | "rename"
  | "remove"
  | "syncDirectory"
  | "freeBytes"
  | "lock"
  | "write"
  | "read"
  | "datasync"
  | "close";

/** Operations after which the disk may hold something else than before. */
const changing: ReadonlySet<DiskOperation> = new Set<DiskOperation>([
  "create",
  "makeDirectory",
  "rename",
  "remove",
  "syncDirectory",
  "write",
  "datasync",
]);

/** How much of a failed or interrupted operation took place all the same. */
export type Persisted = "none" | "all" | "part";

export type FaultEffect =
  | { readonly kind: "error"; readonly code: string; readonly persisted: Persisted }
  | { readonly kind: "delay"; readonly milliseconds: number }
  /** A write lands `by` bytes away in the same file; what should have been overwritten stays. */
  | { readonly kind: "misdirect"; readonly by: number }
  /** A read returns one wrong bit, or a write stores one. */
  | { readonly kind: "flip"; readonly bit: number }
  /** Power loss or process kill, before the operation starts or after it took place but before it is reported. */
  | { readonly kind: "stop"; readonly how: "crash" | "kill"; readonly when: "before" | "after" }
  /** The device lies: a sync reports success and makes nothing durable. For planted bugs only. */
  | { readonly kind: "pretend" };

export interface DiskFault {
  /** `change` counts every operation that can alter the disk. */
  readonly operation: DiskOperation | "change";
  /** Which matching call from now on, counted from 1. */
  readonly nth: number;
  /** Also every matching call after it. */
  readonly lasting?: boolean;
  /** Only paths that contain this text; an open file goes by the name it has now. */
  readonly path?: string;
  readonly effect: FaultEffect;
  /** Called when it hits. */
  readonly onHit?: () => void;
}

export interface PlantedFault {
  /** Takes the fault back. */
  remove(): void;
  /** How many operations it has hit. */
  readonly hits: number;
}

class Planted implements PlantedFault {
  hits = 0;
  #seen = 0;
  readonly fault: DiskFault;
  readonly #plan: Set<Planted>;

  constructor(fault: DiskFault, plan: Set<Planted>) {
    this.fault = fault;
    this.#plan = plan;
  }

  remove(): void {
    this.#plan.delete(this);
  }

  meet(operation: DiskOperation, path: () => string): boolean {
    const { fault } = this;
    if (fault.operation === "change" ? !changing.has(operation) : fault.operation !== operation) return false;
    if (fault.path !== undefined && !path().includes(fault.path)) return false;
    this.#seen++;
    const hit = fault.lasting === true ? this.#seen >= fault.nth : this.#seen === fault.nth;
    if (!hit) return false;
    this.hits++;
    fault.onHit?.();
    return true;
  }
}

/** The faults that wait for their call. */
export class FaultPlan {
  readonly #planted: Set<Planted> = new Set();

  plant(fault: DiskFault): PlantedFault {
    const planted = new Planted(fault, this.#planted);
    this.#planted.add(planted);
    return planted;
  }

  clear(): void {
    this.#planted.clear();
  }

  /** The effect for this call, if any; every waiting fault counts it. */
  meet(operation: DiskOperation, path: () => string): FaultEffect | undefined {
    let effect: FaultEffect | undefined;
    for (const planted of this.#planted) if (planted.meet(operation, path)) effect ??= planted.fault.effect;
    return effect;
  }
}
