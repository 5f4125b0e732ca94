import { readConfigurations, readCrdConfig } from "../config/read-config.ts";
import { EMPTY_CONFIG, mergeConfigs, type TransformerConfig } from "../config/transformer-config.ts";
import { BuildFailure, doing, within } from "../failure.ts";
import { generateData, mergeOptions } from "../generate/generate-data.ts";
import type { GeneratorArgs, Kustomization } from "../kustomization.ts";
import { HttpFailure, type Loader } from "../loader.ts";
import { readFileResources } from "../patch/apply-patch.ts";
import { addVariables, bindVariables, readVariable, type Var } from "../transform/variables.ts";
import { absorbOne } from "./absorb.ts";
import { builtinSteps, type Step, withConfig } from "./builtin-steps.ts";
import { type ChartEntry, checkChart, type HelmOptions, inflateChart } from "./inflate-chart.ts";
import {
  type ChosenSchemas,
  chooseSchemas,
  type OpenedKustomization,
  openKustomization,
} from "./open-kustomization.ts";
import { addTransformation, appendPath, builtinOrigin, type Origin, pluginOrigin, setOrigin } from "./origin.ts";
import { type Generate, generatorOf, transformerOf } from "./plugins.ts";
import { MALFORMED, readResources } from "./read-resources.ts";
import type { Resource } from "./resource.ts";
import { ResourceMap } from "./resource-map.ts";
import { validated } from "./validated.ts";

/** What all kustomizations of one build share. */
export interface BuildContext extends ChosenSchemas {
  readonly helm: HelmOptions;
  readonly warn: (line: string) => void;
}

/** What kustomizations have put together so far. */
export class Accumulated {
  readonly map = new ResourceMap();
  config: TransformerConfig = EMPTY_CONFIG;
  variables: readonly Var[] = [];

  mergeWith(other: Accumulated): void {
    this.map.append(other.map.resources);
    this.config = mergeConfigs(this.config, other.config);
    this.variables = addVariables(this.variables, other.variables);
  }
}

/** One kustomization of a build. */
export class Target {
  readonly kustomization: Kustomization;
  readonly #loader: Loader;
  readonly #file: string;
  readonly #context: BuildContext;
  /** Undefined: nobody asked where things come from. */
  #origin: Origin | undefined;
  /** For charts: that of who builds on this. */
  readonly #chartNamespace: string;

  private constructor(
    loader: Loader,
    context: BuildContext,
    read: OpenedKustomization,
    { origin, chartNamespace = "" }: { readonly origin?: Origin | undefined; readonly chartNamespace?: string },
  ) {
    this.#loader = loader;
    this.#context = context;
    this.kustomization = read.kustomization;
    this.#file = read.file;
    this.#origin = origin;
    this.#chartNamespace = chartNamespace;
  }

  /** The one that a build begins with. */
  static async root(loader: Loader, context: BuildContext): Promise<Target> {
    const read = await openKustomization(loader, context.warn);
    const { buildMetadata = [] } = read.kustomization;
    const target = new Target(loader, context, read, { origin: buildMetadata.length > 0 ? {} : undefined });
    await chooseSchemas(read.kustomization, loader, context, true);
    return target;
  }

  async accumulate(into: Accumulated = new Accumulated()): Promise<Accumulated> {
    const { resources = [], configurations = [], crds = [], components = [], vars = [] } = this.kustomization;
    let all = into;
    try {
      await this.#accumulateResources(all, resources);
    } catch (error) {
      throw within("accumulating resources", error);
    }
    all.config = mergeConfigs(all.config, await readConfigurations(this.#loader, configurations));
    all.config = mergeConfigs(all.config, await readCrdConfig(this.#loader, crds));
    await this.#generate(all);
    try {
      all = await this.#accumulateComponents(all, components);
    } catch (error) {
      throw within("accumulating components", error);
    }
    for (const { transform, origin } of await this.#transformers(all.config)) {
      transform(all.map);
      if (origin !== undefined) addTransformation(all.map, origin);
      all.map.dropEmpty();
    }
    await this.#validate(all.map);
    const variables = vars.map(readVariable);
    const shown = variables.map(({ written }) => written).join(" ");
    doing(`merging vars [${shown}]`, () => {
      bindVariables(all.map, variables);
      all.variables = addVariables(all.variables, variables);
    });
    return all;
  }

  async #accumulateResources(all: Accumulated, paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      try {
        await this.#accumulateFile(all.map, path);
      } catch (error) {
        if (!(error instanceof BuildFailure)) throw error;
        if (error.cause instanceof HttpFailure) throw error;
        await this.#accumulateBase(all, path, error);
      }
    }
  }

  async #accumulateFile(map: ResourceMap, path: string): Promise<void> {
    let resources: Resource[];
    try {
      resources = ResourceMap.of(readFileResources(await this.#loader.loadText(path), path)).resources;
    } catch (error) {
      throw within(`accumulating resources from '${path}'`, error);
    }
    if (this.#origin !== undefined) for (const one of resources) setOrigin(one, appendPath(this.#origin, path));
    doing(`merging resources from '${path}'`, () => map.append(resources));
  }

  /** @param cause why it is no file */
  async #accumulateBase(all: Accumulated, path: string, cause: BuildFailure): Promise<void> {
    let loader: Loader;
    try {
      loader = await this.#loader.open(path);
    } catch (error) {
      if (cause.message.includes(MALFORMED)) throw cause;
      throw within(`accumulation err='${cause.message}'`, error);
    }
    try {
      const base = await this.#accumulateDirectory(loader, path, undefined);
      doing(`recursed merging from path '${loader.root}'`, () => all.mergeWith(base));
    } catch (error) {
      throw within(`accumulation err='${cause.message}'`, error);
    }
  }

  async #accumulateComponents(all: Accumulated, paths: readonly string[]): Promise<Accumulated> {
    let sum = all;
    for (const path of paths) {
      let loader: Loader;
      try {
        loader = await this.#loader.open(path);
      } catch (error) {
        throw quoted("loader.New", error);
      }
      try {
        sum = await this.#accumulateDirectory(loader, path, sum);
      } catch (error) {
        throw quoted("accumulateDirectory:", error);
      }
    }
    return sum;
  }

  /** @param component what a component is applied to; undefined: it is a base */
  async #accumulateDirectory(opened: Loader, path: string, component: Accumulated | undefined): Promise<Accumulated> {
    await using loader = opened;
    const target = await this.#below(loader, path);
    const { kind } = target.kustomization;
    if (component !== undefined && kind !== "Component") {
      throw new BuildFailure(`expected kind 'Component' for path '${loader.root}' but got '${kind}'`);
    }
    if (component === undefined && kind === "Component") {
      throw new BuildFailure(`expected kind != 'Component' for path '${loader.root}'`);
    }
    try {
      return await target.accumulate(component);
    } catch (error) {
      throw within(`recursed accumulation of path '${loader.root}'`, error);
    }
  }

  async #below(loader: Loader, path: string): Promise<Target> {
    let read: OpenedKustomization;
    try {
      read = await openKustomization(loader, this.#context.warn);
    } catch (error) {
      throw within(`couldn't make target for path '${loader.root}'`, error);
    }
    const { buildMetadata = [], namespace = "" } = this.kustomization;
    // What is asked for at the top is asked for everywhere.
    const kustomization = { ...read.kustomization, buildMetadata };
    const target = new Target(
      loader,
      this.#context,
      { ...read, kustomization },
      {
        origin: this.#origin && appendPath(this.#origin, path),
        chartNamespace: namespace || this.#chartNamespace,
      },
    );
    await chooseSchemas(kustomization, loader, this.#context, false);
    return target;
  }

  async #generate(all: Accumulated): Promise<void> {
    const { configMapGenerator = [], secretGenerator = [], generators = [] } = this.kustomization;
    await this.#checkCharts();
    await this.#generateData(all.map, "ConfigMap", configMapGenerator);
    await this.#generateData(all.map, "Secret", secretGenerator);
    await this.#inflateCharts(all.map);
    for (const { make, resource } of await this.#generators(generators)) {
      this.#absorb(all.map, await make(), pluginOrigin(resource));
    }
  }

  async #generators(entries: readonly string[]) {
    const all: { readonly resource: Resource; readonly make: Generate }[] = [];
    for (const resource of await this.#pluginConfigs(entries, "external generator")) {
      try {
        const make = await generatorOf(resource, { loader: this.#loader, helm: this.#context.helm });
        all.push({ resource, make });
      } catch (error) {
        throw within("loading generator plugins: failed to load generator", error);
      }
    }
    return all;
  }

  async #generateData(map: ResourceMap, kind: "ConfigMap" | "Secret", list: readonly GeneratorArgs[]): Promise<void> {
    for (const args of list) {
      const options = mergeOptions(args.options, this.kustomization.generatorOptions);
      const made = await generateData(this.#loader, kind, options === undefined ? args : { ...args, options });
      this.#absorb(map, [made], this.#builtinOrigin(`${kind}Generator`));
    }
  }

  async #checkCharts(): Promise<void> {
    for (const chart of this.#charts()) {
      try {
        await checkChart(this.#loader, chart, this.#context.helm);
      } catch (error) {
        throw withConfig("HelmChartInflationGenerator", present(chart), error);
      }
    }
  }

  #charts(): readonly ChartEntry[] {
    const { helmCharts = [], helmGlobals = {}, namespace = "" } = this.kustomization;
    const inherited = namespace || this.#chartNamespace;
    return helmCharts.map((chart) => {
      const own = (chart["namespace"] ?? "") === "" && inherited !== "" ? { namespace: inherited } : {};
      return { ...helmGlobals, ...chart, ...own };
    });
  }

  async #inflateCharts(map: ResourceMap): Promise<void> {
    for (const chart of this.#charts()) {
      const made = await inflateChart(this.#loader, chart, this.#context.helm);
      this.#absorb(map, made, this.#builtinOrigin("HelmChartInflationGenerator"));
    }
  }

  #absorb(map: ResourceMap, made: readonly Resource[], origin: Origin | undefined): void {
    for (const resource of made) {
      if (origin !== undefined && !resource.annotations.has("config.kubernetes.io/origin")) setOrigin(resource, origin);
      doing("merging from generator", () => absorbOne(map, resource));
    }
  }

  #builtinOrigin(kind: string): Origin | undefined {
    return this.#origin && builtinOrigin(this.#origin, this.#file, kind);
  }

  /** Objects that configure generators, transformers or validators: inline, in files, or made by kustomizations. */
  async #pluginConfigs(entries: readonly string[], what: string): Promise<readonly Resource[]> {
    const all = new Accumulated();
    const paths: string[] = [];
    for (const entry of entries) {
      let inline: Resource[];
      try {
        inline = ResourceMap.of(readResources(entry)).resources;
      } catch (error) {
        if (!(error instanceof BuildFailure)) throw error;
        paths.push(entry);
        continue;
      }
      if (this.#origin !== undefined) for (const one of inline) setOrigin(one, appendPath(this.#origin, this.#file));
      doing(`configuring ${what}`, () => all.map.append(inline));
    }
    await this.#accumulateResources(all, paths);
    return all.map.resources;
  }

  async #transformers(config: TransformerConfig): Promise<readonly Step[]> {
    const { transformers = [] } = this.kustomization;
    const steps = await builtinSteps(
      {
        kustomization: this.kustomization,
        loader: this.#loader,
        schemas: this.#context.schemas,
        originOf: (kind) => this.#builtinOrigin(kind),
      },
      config,
    );
    for (const resource of await this.#pluginConfigs(transformers, "external transformer")) {
      const transform = await transformerOf(resource, { loader: this.#loader, schemas: this.#context.schemas });
      steps.push({ transform, origin: pluginOrigin(resource) });
    }
    return steps;
  }

  async #validate(map: ResourceMap): Promise<void> {
    const { validators = [] } = this.kustomization;
    for (const resource of await this.#pluginConfigs(validators, "external transformer")) {
      const check = await transformerOf(resource, { loader: this.#loader, schemas: this.#context.schemas });
      validated(map, check);
    }
  }
}

function quoted(what: string, error: unknown): unknown {
  return error instanceof BuildFailure ? new BuildFailure(`${what} ${JSON.stringify(error.message)}`) : error;
}

/** Without fields that say nothing. */
const present = (chart: ChartEntry): object =>
  Object.fromEntries(Object.entries(chart).filter(([, value]) => value !== "" && value !== false));
