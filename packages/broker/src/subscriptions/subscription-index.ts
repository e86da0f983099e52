class Node<T> { readonly kids: Map<string, Node<T>> = new Map(); readonly values: Map<string, T> = new Map(); }
export class SubscriptionIndex<T> {
  readonly #root: Node<T> = new Node();
  set(filter: string, key: string, value: T): void {
    let n = this.#root;
    for (const l of filter.split("/")) { let k = n.kids.get(l); if (!k) { k = new Node(); n.kids.set(l, k); } n = k; }
    n.values.set(key, value);
  }
  remove(filter: string, key: string): void {
    let n: Node<T> | undefined = this.#root;
    for (const l of filter.split("/")) n = n?.kids.get(l);
    n?.values.delete(key);
  }
  match(topic: string, visit: (v: T) => void): void {
    const levels = topic.split("/");
    const walk = (n: Node<T>, i: number): void => {
      const first = i === 0 && topic.startsWith("$");
      if (!first) for (const v of n.kids.get("#")?.values.values() ?? []) visit(v);
      if (i === levels.length) { for (const v of n.values.values()) visit(v); return; }
      const k = n.kids.get(levels[i] as string); if (k) walk(k, i + 1);
      const p = first ? undefined : n.kids.get("+"); if (p) walk(p, i + 1);
    };
    walk(this.#root, 0);
  }
}
