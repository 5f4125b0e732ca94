/** How a path is written in a route: `/containers/{id}/start`; `{name*}` takes slashes too, as image names have them. */
export type PathPattern = `/${string}`;

export interface RouteMatch<R> {
  readonly route: R;
  readonly params: Readonly<Record<string, string>>;
}

const NO_PARAMS: Readonly<Record<string, string>> = {};

interface Node<R> {
  readonly literals: Map<string, Node<R>>;
  param?: { readonly name: string; readonly node: Node<R> };
  /** A greedy parameter: by the literal segment after it, or `undefined` when it is the last. */
  greedy?: { readonly name: string; readonly bySuffix: Map<string | undefined, R> };
  route?: R;
}

/**
 * Finds the route of a method and path. Compiled once: whole literal paths are one map look-up, the others a walk over
 * the segments, literals before parameters.
 */
export class Router<R extends { readonly method: string; readonly path: PathPattern }> {
  readonly #exact = new Map<string, RouteMatch<R>>();
  readonly #roots = new Map<string, Node<R>>();

  constructor(routes: readonly R[]) {
    for (const route of routes) this.#add(route);
  }

  find(method: string, path: string): RouteMatch<R> | undefined {
    const exact = this.#exact.get(method + path);
    if (exact !== undefined) return exact;
    const root = this.#roots.get(method);
    return root === undefined ? undefined : walk(root, path.split("/"), 1, {});
  }

  #add(route: R): void {
    if (!route.path.includes("{")) {
      this.#exact.set(route.method + route.path, { route, params: NO_PARAMS });
      return;
    }
    let node = this.#roots.get(route.method);
    if (node === undefined) this.#roots.set(route.method, (node = { literals: new Map() }));
    const segments = route.path.split("/").slice(1);
    for (const [index, segment] of segments.entries()) {
      const name = /^\{(\w+)(\*?)\}$/.exec(segment);
      if (name === null) node = literal(node, segment);
      else if (name[2] === "*") {
        node.greedy ??= { name: name[1] ?? "", bySuffix: new Map() };
        node.greedy.bySuffix.set(segments[index + 1], route);
        return;
      } else node = parameter(node, name[1] ?? "");
    }
    node.route = route;
  }
}

function literal<R>(node: Node<R>, segment: string): Node<R> {
  let next = node.literals.get(segment);
  if (next === undefined) node.literals.set(segment, (next = { literals: new Map() }));
  return next;
}

function parameter<R>(node: Node<R>, name: string): Node<R> {
  node.param ??= { name, node: { literals: new Map() } };
  return node.param.node;
}

function walk<R>(
  node: Node<R>,
  segments: readonly string[],
  index: number,
  params: Readonly<Record<string, string>>,
): RouteMatch<R> | undefined {
  const segment = segments[index];
  if (segment === undefined) return node.route === undefined ? undefined : { route: node.route, params };
  const next = node.literals.get(segment);
  const found = next === undefined ? undefined : walk(next, segments, index + 1, params);
  if (found !== undefined) return found;
  if (node.param !== undefined && segment !== "") {
    const deeper = walk(node.param.node, segments, index + 1, { ...params, [node.param.name]: segment });
    if (deeper !== undefined) return deeper;
  }
  return greedy(node, segments, index, params);
}

function greedy<R>(
  node: Node<R>,
  segments: readonly string[],
  index: number,
  params: Readonly<Record<string, string>>,
): RouteMatch<R> | undefined {
  if (node.greedy === undefined) return undefined;
  const { name, bySuffix } = node.greedy;
  const last = segments.length - 1;
  const route = last > index ? bySuffix.get(segments[last]) : undefined;
  const taken = segments.slice(index, route === undefined ? undefined : last).join("/");
  const chosen = route ?? bySuffix.get(undefined);
  return chosen === undefined || taken === "" ? undefined : { route: chosen, params: { ...params, [name]: taken } };
}
