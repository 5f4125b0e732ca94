import { InvalidArgument } from "@boxship/base/errors";
import { builtins } from "./builtins.ts";
import { asGoFunc } from "./call.ts";
import { execute } from "./exec.ts";
import { isEmptyTree, type Tree } from "./node.ts";
import { parse } from "./parse.ts";
import { quote } from "./quote.ts";
import type { Budget, MissingKey } from "./state.ts";
import type { GoFunc } from "./types.ts";

/** A function for templates: described with its parameters' types, or a plain one that takes anything. */
export type TemplateFunction = GoFunc | ((...args: never[]) => unknown);

export interface TemplateOptions {
  /** Functions by name; they hide builtins of the same name. */
  readonly functions?: Readonly<Record<string, TemplateFunction>>;
  /** @default "{{" */
  readonly left?: string;
  /** @default "}}" */
  readonly right?: string;
  /** @default "default" */
  readonly missingKey?: MissingKey;
  /**
   * Deepest nesting of templates. Go allows 100,000; here each level takes a few frames of the JavaScript stack.
   *
   * @default 1000
   */
  readonly maxDepth?: number;
  /** Most nodes that one execution visits, against templates that never end. @default unlimited */
  readonly maxSteps?: number;
  /** Shared by sets whose functions execute each other's templates. @default one for each execution */
  readonly budget?: Budget;
}

/** A set of templates that can call each other, as Go's `template.Template` with its associated templates. */
export class Template {
  readonly name: string;
  readonly #options: TemplateOptions;
  readonly #trees = new Map<string, Tree>();
  readonly #functions: ReadonlyMap<string, GoFunc>;
  readonly #builtins: ReadonlySet<string>;

  /** @param from a set whose functions and templates it begins with, instead of those of the options */
  constructor(name: string, options: TemplateOptions = {}, from?: Template) {
    this.name = name;
    this.#options = options;
    if (from !== undefined) {
      this.#functions = from.#functions;
      this.#builtins = from.#builtins;
      for (const [key, tree] of from.#trees) this.#trees.set(key, tree);
      return;
    }
    const functions = new Map(Object.entries(builtins));
    const own = new Set(functions.keys());
    for (const [key, value] of Object.entries(options.functions ?? {})) {
      const callable = asGoFunc(value);
      if (callable === undefined) throw new InvalidArgument(`template function ${quote(key)} is not a function`);
      functions.set(key, callable);
      own.delete(key);
    }
    this.#functions = functions;
    this.#builtins = own;
  }

  /** A set with the same functions and templates; what is parsed into it stays in it. */
  clone(): Template {
    return new Template(this.name, this.#options, this);
  }

  /** Names of the templates that are defined. */
  get defined(): readonly string[] {
    return [...this.#trees.keys()];
  }

  /**
   * Parses a text as the template of a name, and the definitions in it. A later definition replaces an earlier one,
   * unless it is empty.
   *
   * @param name @default the set's own name
   * @throws InvalidArgument with Go's text, `template: NAME:LINE: …`
   */
  parse(text: string, name: string = this.name): this {
    const trees = parse(name, text, {
      ...(this.#options.left !== undefined && { left: this.#options.left }),
      ...(this.#options.right !== undefined && { right: this.#options.right }),
      hasFunction: (candidate) => this.#functions.has(candidate),
    });
    for (const [key, tree] of trees) {
      if (!this.#trees.has(key) || !isEmptyTree(tree.root)) this.#trees.set(key, tree);
    }
    return this;
  }

  /**
   * Executes a template on data (see `value.ts` for how JavaScript values read as Go's).
   *
   * @param name @default the set's own name
   * @throws InvalidArgument with Go's text, `template: NAME:LINE:COLUMN: executing "NAME" at <NODE>: …`
   */
  execute(data: unknown, name: string = this.name): string {
    const parts: string[] = [];
    this.executeTo((text) => parts.push(text), data, name);
    return parts.join("");
  }

  /** The same, piece by piece: what was written before an error stays written, as with Go's writer. */
  executeTo(write: (text: string) => void, data: unknown, name: string = this.name): void {
    if (name !== this.name && !this.#trees.has(name)) {
      throw new InvalidArgument(`template: no template ${quote(name)} associated with template ${quote(this.name)}`);
    }
    const run = {
      trees: this.#trees,
      functions: this.#functions,
      builtins: this.#builtins,
      missingKey: this.#options.missingKey ?? "default",
      maxDepth: this.#options.maxDepth ?? 1000,
      maxSteps: this.#options.maxSteps ?? Number.POSITIVE_INFINITY,
      write,
      budget: this.#options.budget ?? { steps: 0, depth: 0 },
    };
    execute(run, name, data);
  }
}
