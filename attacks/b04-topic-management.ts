import { defaultLimits } from "../packages/broker/src/config/limits.ts";
import type { Route } from "../packages/broker/src/input/doors/http/route.ts";
import { routesOf } from "../packages/broker/src/input/doors/http/routes.ts";
import { builtInRoles } from "../packages/broker/src/security/built-in-roles.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";

export const b04 = attack({
  id: "B4",
  title: "Topics: who may manage",
  threat: "A route of the API was forgotten: somebody without the right reaches it.",
  mitigation:
    "The permission is a field of the route, asked for before anything else is read; this matrix is made from the routes themselves.",
  ways: ["https"],
  steps: [{ name: "every route with every role", run: matrix, elsewhere: hasNone("has no HTTP API by default") }],
});

async function matrix(outer: Arena): Promise<void> {
  // of its own, since some of what is allowed changes the broker
  const arena = await outer.own();
  const routes = routesOf(defaultLimits);
  if (routes.length < 30) throw new Error(`only ${routes.length} routes`);
  for (const route of routes) {
    const path = route.path.replaceAll(/:[a-zA-Z]+/g, "none");
    const anonymous = await ask(arena, route, path);
    if (route.permission !== "public") hold(anonymous === 401, `${route.method} ${path} without a key: ${anonymous}`);
    else if (anonymous === 401) throw new Error(`${path} is public and answers 401`);
  }
  const bare = await arena.principal("bare");
  for (const { name, allow } of builtInRoles) {
    // the policy can be changed by the key of the arena alone
    const who = await arena.principal(name as "viewer");
    for (const route of routes) {
      const { permission } = route;
      if (permission === "public" || permission === "authenticated") continue;
      const isAllowed = allow.some(({ action }) => action === permission || action === "admin.*");
      const path = route.path.replaceAll(/:[a-zA-Z]+/g, "none");
      const status = await ask(arena, route, path, who);
      const told = `${route.method} ${path} (${permission}) as ${name}: ${status}`;
      if (isAllowed && (status === 401 || status === 403)) throw new Error(`${told}, and the role has it`);
      if (!isAllowed) hold(status === 403, told);
    }
  }
  for (const route of routes.filter(({ permission }) => permission.startsWith("admin."))) {
    const path = route.path.replaceAll(/:[a-zA-Z]+/g, "none");
    const status = await ask(arena, route, path, bare);
    hold(status === 403, `${route.method} ${path} by somebody without rights: ${status}`);
  }
}

/** With a body that no route takes: who may come in is told so, and nothing is changed. */
async function ask(
  arena: Arena,
  { method, body }: Route,
  path: string,
  who?: Awaited<ReturnType<Arena["principal"]>>,
): Promise<number> {
  if (method === "GET") return arena.statusOf(who, path);
  const { status } = await arena.ask(who, path, { method, ...(body !== undefined && { body: "no such thing" }) });
  return status;
}
