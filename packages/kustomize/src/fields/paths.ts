import { BuildFailure } from "../failure.ts";
import { compileExpression } from "../target/selectors.ts";
import { emitYaml } from "../yaml/emit.ts";
import { demandKind } from "../yaml/kind-error.ts";
import { isThere, type Kind, Node } from "../yaml/node.ts";
import { parseYaml } from "../yaml/parse.ts";
import { splitPath } from "./field-spec.ts";

/** `spec.containers.[name=web].env.0`: steps between dots; a bracketed name may have dots of its own. */
export function splitDotted(path: string): string[] {
  const parts = splitPath(path, ".");
  const steps: string[] = [];
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at] ?? "";
    if (!part.startsWith("[") || part.endsWith("]")) {
      steps.push(part);
      continue;
    }
    let joined = part;
    while (at < parts.length - 1) {
      const next = parts[++at] ?? "";
      joined += `.${next}`;
      if (next.endsWith("]")) break;
    }
    steps.push(joined.includes("=") ? joined : joined.replace(/^[[\]]+|[[\]]+$/g, ""));
  }
  return steps;
}

const isIndex = (step: string): boolean => /^[+]?\d+$/.test(step);
const isCondition = (step: string): boolean => step.startsWith("[") && step.endsWith("]");

/** The one field that a path leads to; undefined where there is none. */
export function lookUp(root: Node, path: readonly string[]): Node | undefined {
  let here: Node | undefined = root;
  for (const step of path.map((one) => one.trim()).filter((one) => one !== "")) {
    if (here === undefined) return undefined;
    here = lookUpStep(here, step);
  }
  return here;
}

function lookUpStep(node: Node, step: string): Node | undefined {
  if (/^-\d+$/.test(step)) throw new BuildFailure(`array index ${step} cannot be negative`);
  if (isIndex(step) || step === "-") {
    demandKind(node, "sequence");
    return node.items.at(step === "-" ? -1 : Number(step));
  }
  if (step === "*") throw new BuildFailure("wildcard is not supported in PathGetter");
  if (isCondition(step)) {
    demandKind(node, "sequence");
    const [name, value] = splitCondition(step);
    if (name === "") return node.items.find(({ text }) => text === value);
    return node.items.find((item) => item.kind === "mapping" && item.get(name)?.text === value);
  }
  if (!isThere(node)) return undefined;
  demandKind(node, "mapping");
  return node.get(step);
}

function splitCondition(step: string): readonly [name: string, value: string] {
  const inner = step.replace(/^\[/, "").replace(/\]$/, "");
  const at = inner.indexOf("=");
  if (at < 0) throw new BuildFailure("list path element must contain fieldName=fieldValue for element to match");
  return [inner.slice(0, at), inner.slice(at + 1)];
}

/** Every field that a path leads to, `*` standing for all elements of a list. @param create what is made where it ends nowhere */
export function findAll(root: Node, path: readonly string[], create?: Kind): Node[] {
  const [step, ...rest] = path;
  if (step === undefined) return [root];
  if (isIndex(step)) return findAtIndex(root, Number(step), rest, create);
  if (isCondition(step)) return findMatching(root, step, rest, create);
  if (step === "*") {
    demandKind(root, "sequence");
    return root.items.flatMap((item) => findAll(item, rest, create));
  }
  return findInField(root, step, rest, create);
}

/** What a step that is missing is made as: by what comes behind it. */
function kindBefore(next: string | undefined, last: Kind): Kind {
  if (next === undefined) return last;
  return isCondition(next) || isIndex(next) ? "sequence" : "mapping";
}

function findInField(root: Node, step: string, rest: readonly string[], create: Kind | undefined): Node[] {
  let field = lookUpField(root, step);
  if (field === undefined) {
    if (create === undefined) return [];
    field = Node.of(kindBefore(rest[0], create));
    demandKind(root, "mapping");
    root.set(step, field);
  }
  if (field.kind !== "scalar" || rest.length === 0) return findAll(field, rest, create);
  const parsed = parseYaml(field.text);
  return parsed === undefined ? [] : findAll(parsed, rest, create);
}

function lookUpField(node: Node, step: string): Node | undefined {
  if (!isThere(node)) return undefined;
  demandKind(node, "mapping");
  return node.get(step);
}

function findAtIndex(root: Node, index: number, rest: readonly string[], create: Kind | undefined): Node[] {
  demandKind(root, "sequence");
  if (root.items.length === index && create !== undefined) root.items.push(Node.of(kindBefore(rest[0], create)));
  const item = root.items[index];
  if (item !== undefined) return findAll(item, rest, create);
  throw new BuildFailure(`index ${index} specified but only ${root.items.length} elements found`);
}

function findMatching(root: Node, step: string, rest: readonly string[], create: Kind | undefined): Node[] {
  demandKind(root, "sequence");
  const [name, pattern] = splitCondition(step);
  const matcher = compileExpression(pattern);
  const matches = (item: Node): boolean => {
    const value = name === "" ? item : item.get(name);
    return value !== undefined && matcher.matcher(emitYaml(value).trim()).find();
  };
  const found = root.items.filter(matches).flatMap((item) => (name === "" ? [item] : findAll(item, rest, create)));
  if (found.length > 0 || create === undefined) return found;
  root.items.push(name === "" ? Node.scalar(pattern) : Node.mapping([[name, Node.scalar(pattern)]]));
  const made = root.items.filter(matches);
  return made.flatMap((item) => (name === "" ? [item] : findAll(item, rest, create)));
}
