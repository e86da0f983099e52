/**
 * The grants of one role for one action as a tree of filter levels, so that a decision costs the levels of the topic
 * and not the number of grants. One tree serves all principals of the role: `{principal}` is a branch of its own, taken
 * only by a level that equals the principal's name.
 */

/** The one template level; it stands for the whole level. */
export const PRINCIPAL_LEVEL = "{principal}";

export interface GrantTree {
  readonly root: GrantNode;
  /** The same grants, for questions about filters and for explanations. In order of the policy. */
  readonly filters: string[][];
}

interface GrantNode {
  literals: Map<string, GrantNode> | undefined;
  oneLevel: GrantNode | undefined;
  principal: GrantNode | undefined;
  /** A filter ends here. */
  ends: boolean;
  /** A filter ends here with `#`, which matches this level's parent too. */
  endsWithAll: boolean;
}

export function newGrantTree(): GrantTree {
  return { root: newNode(), filters: [] };
}

function newNode(): GrantNode {
  return { literals: undefined, oneLevel: undefined, principal: undefined, ends: false, endsWithAll: false };
}

export function addFilter(tree: GrantTree, filter: string): void {
  const levels = filter.split("/");
  tree.filters.push(levels);
  let node = tree.root;
  for (const level of levels) {
    if (level === "#") {
      node.endsWithAll = true;
      return;
    }
    node = childFor(node, level);
  }
  node.ends = true;
}

function childFor(node: GrantNode, level: string): GrantNode {
  if (level === "+") {
    node.oneLevel ??= newNode();
    return node.oneLevel;
  }
  if (level === PRINCIPAL_LEVEL) {
    node.principal ??= newNode();
    return node.principal;
  }
  node.literals ??= new Map();
  const known = node.literals.get(level);
  if (known !== undefined) return known;
  const made = newNode();
  node.literals.set(level, made);
  return made;
}

/**
 * True when a filter of the tree matches the topic of these levels. `principal` is compared as text with one level and
 * with nothing else: a name that holds a separator equals no level, one that looks like a wildcard is none.
 */
export function treeMatches(tree: GrantTree, levels: readonly string[], principal: string): boolean {
  const first = levels[0];
  if (first?.startsWith("$") !== true) return nodeMatches(tree.root, levels, 0, principal);
  // MQTT 5.0 4.7.2: wildcards do not reach the trees that begin with `$`; nor does a principal of such a name.
  const literal = tree.root.literals?.get(first);
  return literal !== undefined && nodeMatches(literal, levels, 1, principal);
}

/** Each node is visited at most once a decision, and never deeper than the deepest filter. */
function nodeMatches(node: GrantNode, levels: readonly string[], depth: number, principal: string): boolean {
  if (node.endsWithAll) return true;
  const level = levels[depth];
  if (level === undefined) return node.ends;
  const next = depth + 1;
  const literal = node.literals?.get(level);
  if (literal !== undefined && nodeMatches(literal, levels, next, principal)) return true;
  if (node.oneLevel !== undefined && nodeMatches(node.oneLevel, levels, next, principal)) return true;
  if (node.principal === undefined || level !== principal || level === "") return false;
  return nodeMatches(node.principal, levels, next, principal);
}
