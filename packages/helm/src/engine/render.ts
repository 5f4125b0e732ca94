import { InvalidArgument } from "@boxship/base/errors";
import { anyType, type Budget, stringType, Template, type TemplateFunction, valueOf } from "@boxship/template";
import { type Chart, isLibrary } from "../chart/chart.ts";
import { type Dict, define, getKey, isDict } from "../functions/go-values.ts";
import { helmFunctions } from "../functions/sprig-functions.ts";
import { type Capabilities, capabilitiesValue } from "./capabilities.ts";
import { chartValue } from "./chart-value.ts";
import { filesValue } from "./files.ts";
import { executionError, parseError, REQUIRED } from "./render-error.ts";

export interface ReleaseInfo {
  readonly name: string;
  readonly namespace: string;
  readonly revision: number;
  readonly isUpgrade: boolean;
}

export interface RenderOptions {
  readonly release: ReleaseInfo;
  readonly capabilities: Capabilities;
  /** Whether a value that is not there is an error. @default false */
  readonly strict?: boolean;
  /** Whether `required` and `fail` only tell. @default false */
  readonly lint?: boolean;
  /** Told what `required` and `fail` say while linting. */
  readonly onProblem?: (text: string) => void;
  /** Nodes that all templates of the chart together may visit. @default 5,000,000: some seconds of work */
  readonly maxSteps?: number;
  /** Answers `lookup`; an empty map is what there is not. @default nothing is there */
  readonly lookup?: (apiVersion: string, kind: string, namespace: string, name: string) => unknown;
  /** Answers `getHostByName`. @default no name has an address */
  readonly lookupHost?: (name: string) => string;
}

/** A template and what it sees. */
interface Renderable {
  readonly name: string;
  readonly text: string;
  readonly scope: Dict;
}

const MOST_STEPS = 5_000_000;
/** Functions that need the chart that is rendered. */
export const ENGINE_FUNCTIONS = ["fail", "getHostByName", "include", "lookup", "required", "tpl"] as const;

/** Templates within templates: JavaScript has stack for some more. */
const DEEPEST = 400;
/** Characters that all templates of a chart together may write. */
const MOST_CHARACTERS = 64 * 1024 * 1024;

/**
 * Renders all templates of a chart and of those in it.
 *
 * @param values with all defaults, see `coalesceValues`
 * @returns texts by name, `chart/templates/file.yaml`
 * @throws InvalidArgument that names the template, the line and the value
 */
export function render(chart: Chart, values: Dict, options: RenderOptions): ReadonlyMap<string, string> {
  const renderables: Renderable[] = [];
  collect(chart, values, { path: chart.metadata.name, isRoot: true, options, renderables });
  // Deeper ones first: what a chart defines hides what charts in it have under the same name.
  renderables.sort((a, b) => slashes(b.name) - slashes(a.name) || (a.name < b.name ? 1 : -1));
  const engine = new Engine(options);
  for (const { name, text } of renderables) engine.parse(name, text);
  const rendered = new Map<string, string>();
  for (const renderable of renderables) {
    if (isPartial(renderable.name)) continue;
    rendered.set(renderable.name, engine.execute(renderable));
  }
  return rendered;
}

const slashes = (name: string): number => name.split("/").length;
const isPartial = (name: string): boolean => name.slice(name.lastIndexOf("/") + 1).startsWith("_");

interface Collection {
  readonly path: string;
  readonly isRoot: boolean;
  readonly options: RenderOptions;
  readonly renderables: Renderable[];
}

function collect(chart: Chart, values: Dict, { path, isRoot, options, renderables }: Collection): Dict {
  const { release, capabilities } = options;
  const scope: Dict = {
    Chart: chartValue(chart, isRoot),
    Files: filesValue(chart),
    Release: {
      Name: release.name,
      Namespace: release.namespace,
      Revision: BigInt(release.revision),
      IsUpgrade: release.isUpgrade,
      IsInstall: !release.isUpgrade,
      Service: "Helm",
    },
    Capabilities: capabilitiesValue(capabilities),
    Values: values,
    Subcharts: {},
  };
  const subcharts = scope["Subcharts"] as Dict;
  for (const child of chart.dependencies) {
    const { name } = child.metadata;
    const below = getKey(values, name);
    const place = { path: `${path}/charts/${name}`, isRoot: false, options, renderables };
    subcharts[name] = collect(child, isDict(below) ? below : {}, place);
  }
  for (const { name, data } of chart.templates) {
    if (isLibrary(chart) && !isPartial(name)) continue;
    renderables.push({
      name: `${path}/${name}`,
      text: data.toString("utf8"),
      scope: { ...scope, Template: { Name: `${path}/${name}`, BasePath: `${path}/templates` } },
    });
  }
  return scope;
}

class Engine {
  readonly #options: RenderOptions;
  readonly #sources = new Map<string, string>();
  readonly #budget: Budget = { steps: 0, depth: 0 };
  #written = 0;
  /** The set whose templates are executed: that of the chart, or what `tpl` has made of it. */
  #current: Template;

  constructor(options: RenderOptions) {
    this.#options = options;
    this.#current = new Template("gotpl", {
      functions: { ...helmFunctions, ...this.#functions() },
      missingKey: options.strict === true ? "error" : "zero",
      maxSteps: options.maxSteps ?? MOST_STEPS,
      maxDepth: DEEPEST,
      budget: this.#budget,
    });
  }

  parse(name: string, text: string): void {
    this.#sources.set(name, text);
    try {
      this.#current.parse(text, name);
    } catch (error) {
      throw parseError(error, this.#sources);
    }
  }

  execute({ name, scope }: Renderable): string {
    try {
      // What is nothing prints as such, which no file wants.
      return this.#run(this.#current, name, scope).replaceAll("<no value>", "");
    } catch (error) {
      throw executionError(error, { sources: this.#sources, scope });
    }
  }

  #run(template: Template, name: string, data: unknown): string {
    const parts: string[] = [];
    const write = (text: string): void => {
      parts.push(text);
      if ((this.#written += text.length) > MOST_CHARACTERS) {
        throw new Error(`templates write more than ${MOST_CHARACTERS} characters`);
      }
    };
    template.executeTo(write, data, name);
    return parts.join("");
  }

  #functions(): Readonly<Record<(typeof ENGINE_FUNCTIONS)[number], TemplateFunction>> {
    const { lint = false, lookup, lookupHost = () => "", onProblem } = this.#options;
    const required = (warning: string, value: unknown): unknown => {
      if (valueOf(value) !== undefined && value !== "") return value;
      if (!lint) throw new Error(`${REQUIRED}${warning}`);
      onProblem?.(`Missing required value: ${warning}`);
      return "";
    };
    const fail = (message: string): unknown => {
      if (!lint) throw new Error(`${REQUIRED}${message}`);
      onProblem?.(`Fail: ${message}`);
      return "";
    };
    return {
      include: define([stringType, anyType], (name: string, data: unknown) => this.#run(this.#current, name, data)),
      tpl: define([stringType, anyType], (text: string, data: unknown) => this.#tpl(text, data)),
      required: define([stringType, anyType], required),
      fail: define([stringType], fail),
      getHostByName: define([stringType], lookupHost),
      lookup: define([stringType, stringType, stringType, stringType], (...what: [string, string, string, string]) =>
        lint ? {} : (lookup?.(...what) ?? {}),
      ),
    };
  }

  #tpl(text: string, data: unknown): string {
    const outer = this.#current;
    this.#current = outer.clone();
    try {
      this.#current.parse(text);
      return this.#run(this.#current, this.#current.name, data).replaceAll("<no value>", "");
    } catch (error) {
      if (!(error instanceof InvalidArgument)) throw error;
      const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
      throw new InvalidArgument(`error during tpl function execution for ${JSON.stringify(shown)}: ${error.message}`, {
        cause: error,
      });
    } finally {
      this.#current = outer;
    }
  }
}
