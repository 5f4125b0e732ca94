import { toYaml } from "@boxship/api/yaml";
import { readConfigurations, readCrdConfig, readJson, toFieldSpec } from "../config/read-config.ts";
import { EMPTY_CONFIG, mergeConfigs, mergeFields, type TransformerConfig } from "../config/transformer-config.ts";
import { BuildFailure, doing, within } from "../failure.ts";
import type { FieldSpec } from "../fields/field-spec.ts";
import { generateData, mergeData, mergeOptions } from "../generate/generate-data.ts";
import { FILE_NAMES, type GeneratorArgs, type Kustomization, type Label, readKustomization } from "../kustomization.ts";
import { HttpFailure, type Loader } from "../loader.ts";
import { builtinSchemas, type MergeSchemas } from "../merge/merge-schema.ts";
import { openApiSchemas } from "../merge/open-api.ts";
import { prepareMerges, prepareOperations, preparePatch, readFileResources } from "../patch/apply-patch.ts";
import { changeImages } from "../transform/images.ts";
import { setNamespace } from "../transform/namespace.ts";
import { replaceFields } from "../transform/replacements.ts";
import { setReplicas } from "../transform/replicas.ts";
import { addTexts, addToNames } from "../transform/texts.ts";
import { addVariables, bindVariables, readVariable, type Var } from "../transform/variables.ts";
import { addTransformation, appendPath, builtinOrigin, type Origin, pluginOrigin, setOrigin } from "./origin.ts";
import { generatorOf, readReplacements, type Transform, transformerOf } from "./plugins.ts";
import { MALFORMED, readResources } from "./read-resources.ts";
import { idKey, idText, type ResId } from "./res-id.ts";
import type { Resource } from "./resource.ts";
import { ResourceMap } from "./resource-map.ts";

/** What all kustomizations of one build share. */
export interface BuildContext {
  readonly enableHelm: boolean;
  /** Makes the objects of a chart. @default charts are refused */
  readonly inflate?: InflateChart | undefined;
  readonly warn: (line: string) => void;
  /** Chosen by the first kustomization that says something about it. */
  schemas: MergeSchemas;
  schemasChosen: boolean;
}

/** Renders a chart as one entry of `helmCharts` wants it. @returns objects as YAML */
export type InflateChart = (chart: Readonly<Record<string, unknown>>, root: string) => Promise<string>;

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
    read: { readonly kustomization: Kustomization; readonly file: string },
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
    const read = await readFile(loader, context);
    const { buildMetadata = [] } = read.kustomization;
    const target = new Target(loader, context, read, { origin: buildMetadata.length > 0 ? {} : undefined });
    await chooseSchemas(target, loader, context, true);
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
    let read: Awaited<ReturnType<typeof readFile>>;
    try {
      read = await readFile(loader, this.#context);
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
    await chooseSchemas(target, loader, this.#context, false);
    return target;
  }

  async #generate(all: Accumulated): Promise<void> {
    const { configMapGenerator = [], secretGenerator = [], generators = [] } = this.kustomization;
    await this.#refuseCharts();
    await this.#generateData(all.map, "ConfigMap", configMapGenerator);
    await this.#generateData(all.map, "Secret", secretGenerator);
    await this.#inflateCharts(all.map);
    for (const resource of await this.#pluginConfigs(generators, "external generator")) {
      const make = await generatorOf(resource, { loader: this.#loader, schemas: this.#context.schemas });
      this.#absorb(all.map, await make(), pluginOrigin(resource));
    }
  }

  async #generateData(map: ResourceMap, kind: "ConfigMap" | "Secret", list: readonly GeneratorArgs[]): Promise<void> {
    for (const args of list) {
      const options = mergeOptions(args.options, this.kustomization.generatorOptions);
      const made = await generateData(this.#loader, kind, options === undefined ? args : { ...args, options });
      this.#absorb(map, [made], this.#builtinOrigin(`${kind}Generator`));
    }
  }

  async #refuseCharts(): Promise<void> {
    const [chart] = this.#charts();
    if (chart === undefined || (this.#context.enableHelm && this.#context.inflate !== undefined)) return;
    const why = this.#context.enableHelm ? "charts are not inflated here" : "must specify --enable-helm";
    throw withConfig("HelmChartInflationGenerator", chart, new BuildFailure(why));
  }

  #charts(): readonly Readonly<Record<string, unknown>>[] {
    const { helmCharts = [], helmGlobals = {}, namespace = "" } = this.kustomization;
    const inherited = namespace || this.#chartNamespace;
    return helmCharts.map((chart) => {
      const own = (chart["namespace"] ?? "") === "" && inherited !== "" ? { namespace: inherited } : {};
      return { ...helmGlobals, ...chart, ...own };
    });
  }

  async #inflateCharts(map: ResourceMap): Promise<void> {
    for (const chart of this.#charts()) {
      const text = await this.#context.inflate?.(chart, this.#loader.root);
      this.#absorb(map, readResources(text ?? ""), this.#builtinOrigin("HelmChartInflationGenerator"));
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
    const steps = await this.#builtinTransformers(config);
    for (const resource of await this.#pluginConfigs(transformers, "external transformer")) {
      const transform = await transformerOf(resource, { loader: this.#loader, schemas: this.#context.schemas });
      steps.push({ transform, origin: pluginOrigin(resource) });
    }
    return steps;
  }

  async #builtinTransformers(config: TransformerConfig): Promise<Step[]> {
    const steps: Step[] = [];
    const add = (kind: string, transform: Transform): void => {
      steps.push({ transform, origin: this.#builtinOrigin(kind) });
    };
    await this.#addPatches(add);
    const { namespace = "", namePrefix = "", nameSuffix = "", commonAnnotations = {} } = this.kustomization;
    const { images = [], replicas = [], replacements = [] } = this.kustomization;
    if (namespace !== "") add("NamespaceTransformer", (map) => setNamespace(map, namespace, config.namespace));
    if (namePrefix !== "") add("PrefixTransformer", (map) => addToNames(map, namePrefix, "prefix", config.namePrefix));
    if (nameSuffix !== "") add("SuffixTransformer", (map) => addToNames(map, nameSuffix, "suffix", config.nameSuffix));
    this.#addLabels(config, add);
    if (Object.keys(commonAnnotations).length > 0) {
      add("AnnotationsTransformer", (map) => addTexts(map, commonAnnotations, config.commonAnnotations));
    }
    const { patchesJson6902 = [] } = this.kustomization;
    for (const { target, path, patch } of patchesJson6902) {
      const args = present({ target, path, jsonOp: patch });
      add(
        "PatchJson6902Transformer",
        await this.#configured("PatchJson6902Transformer", args, () => prepareOperations(this.#loader, args)),
      );
    }
    for (const replica of replicas) {
      add("ReplicaCountTransformer", (map) => setReplicas(map, replica, config.replicas));
    }
    for (const image of images) add("ImageTagTransformer", (map) => changeImages(map, image, config.images));
    if (replacements.length > 0) {
      const args = { replacements };
      const all = await this.#configured("ReplacementTransformer", args, () =>
        readReplacements(this.#loader, replacements),
      );
      add("ReplacementTransformer", (map) => replaceFields(map, all));
    }
    return steps;
  }

  async #addPatches(add: (kind: string, transform: Transform) => void): Promise<void> {
    const { patchesStrategicMerge = [], patches = [] } = this.kustomization;
    const { schemas } = this.#context;
    if (patchesStrategicMerge.length > 0) {
      const kind = "PatchStrategicMergeTransformer";
      const prepare = () => prepareMerges(this.#loader, schemas, patchesStrategicMerge);
      add(kind, await this.#configured(kind, { paths: patchesStrategicMerge }, prepare));
    }
    for (const patch of patches) {
      const kind = "PatchTransformer";
      add(kind, await this.#configured(kind, patch, () => preparePatch(this.#loader, schemas, patch)));
    }
  }

  #addLabels(config: TransformerConfig, add: (kind: string, transform: Transform) => void): void {
    const { labels = [], commonLabels = {} } = this.kustomization;
    if (labels.length === 0 && Object.keys(commonLabels).length === 0) return;
    for (const label of labels) {
      const fields = doing("failed to merge labels", () => labelFields(label, config));
      add("LabelTransformer", (map) => addTexts(map, label.pairs ?? {}, fields));
    }
    add("LabelTransformer", (map) => addTexts(map, commonLabels, config.commonLabels));
  }

  async #configured<T>(kind: string, config: object, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw withConfig(kind, config, error);
    }
  }

  async #validate(map: ResourceMap): Promise<void> {
    const { validators = [] } = this.kustomization;
    for (const resource of await this.#pluginConfigs(validators, "external transformer")) {
      const check = await transformerOf(resource, { loader: this.#loader, schemas: this.#context.schemas });
      const before = map.resources.map((one) => stateOf(one));
      check(map);
      const after = map.resources.map((one) => stateOf(withoutMark(one)));
      if (before.length === after.length && before.every((one, at) => one === after[at])) continue;
      throw new BuildFailure("validator shouldn't modify the resource map");
    }
  }
}

interface Step {
  readonly transform: Transform;
  readonly origin: Origin | undefined;
}

const present = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;

/** What a validator must leave as it is: also names that it only writes again count as changed. */
const stateOf = (resource: Resource): string => JSON.stringify([resource.toJson(), resource.previous.length]);

/** The label by which a validator says that it looked at an object. */
function withoutMark(resource: Resource): Resource {
  const copy = resource.copy();
  const labels = new Map(copy.labels);
  if (labels.delete("validated-by")) copy.labels = labels;
  return copy;
}

function quoted(what: string, error: unknown): unknown {
  return error instanceof BuildFailure ? new BuildFailure(`${what} ${JSON.stringify(error.message)}`) : error;
}

function withConfig(kind: string, config: object, error: unknown): unknown {
  const text = toYaml(config as Parameters<typeof toYaml>[0]);
  return within(`trouble configuring builtin ${kind} with config: \`\n${text}\``, error);
}

async function readFile(
  loader: Loader,
  { warn }: BuildContext,
): Promise<{ readonly kustomization: Kustomization; readonly file: string }> {
  const found: { readonly file: string; readonly text: string }[] = [];
  for (const file of FILE_NAMES) {
    try {
      found.push({ file, text: await loader.loadText(file) });
    } catch (error) {
      if (!(error instanceof BuildFailure)) throw error;
    }
  }
  const [first] = found;
  if (first === undefined) {
    throw new BuildFailure(
      `unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '${loader.root}'`,
    );
  }
  if (found.length > 1) throw new BuildFailure(`Found multiple kustomization files under: ${loader.root}\n`);
  return { kustomization: readKustomization(first.text, loader.root, warn), file: first.file };
}

/** The version of Kubernetes whose definitions the original has. */
const BUILTIN_VERSION = "v1.21.2";

async function chooseSchemas(target: Target, loader: Loader, context: BuildContext, isRoot: boolean): Promise<void> {
  const { path, version } = target.kustomization.openapi ?? {};
  const text = path === undefined ? undefined : await loader.loadText(path);
  if (context.schemasChosen && !isRoot) return;
  if (text !== undefined) {
    if (version !== undefined) {
      throw new BuildFailure("builtin version and custom schema provided, cannot use both");
    }
    context.schemas = openApiSchemas(readJson(text));
    context.schemasChosen = true;
  } else if (version !== undefined && version !== "") {
    if (version !== BUILTIN_VERSION) throw new BuildFailure("the specified OpenAPI version is not built in");
    context.schemas = builtinSchemas;
    context.schemasChosen = true;
  }
}

function labelFields(label: Label, config: TransformerConfig): readonly FieldSpec[] {
  const own = mergeFields((label.fields ?? []).map(toFieldSpec), config.labels);
  if (label.includeSelectors === true) return mergeFields(own, config.commonLabels);
  const fields =
    label.includeTemplates === true
      ? doing("failed to merge template fieldSpec", () => mergeFields(own, config.templateLabels))
      : own;
  const metadata: FieldSpec = { group: "", version: "", kind: "", path: "metadata/labels", create: true };
  return mergeFields(fields, [metadata]);
}

function absorbOne(map: ResourceMap, resource: Resource): void {
  const { id, behavior } = resource;
  const key = idKey(id);
  const found = map.withAnyId((one) => idKey(one) === key);
  const [old] = found;
  const replaces = behavior === "merge" || behavior === "replace";
  if (found.length > 1) {
    throw new BuildFailure(`found multiple objects that could accept merge of ${idText(id)}`);
  }
  if (old === undefined) {
    if (replaces) throw new BuildFailure(`id ${structText(id)} does not exist; cannot merge or replace`);
    map.append([resource]);
    return;
  }
  if (!replaces) {
    throw new BuildFailure(
      `id ${structText(id)} exists; can not use behavior: '${behavior}', behavior must be merge or replace`,
    );
  }
  const origin = old.annotations.get("config.kubernetes.io/origin");
  resource.labels = new Map([...old.labels, ...resource.labels]);
  resource.annotations = new Map([...old.annotations, ...resource.annotations]);
  resource.needsHash = resource.needsHash && old.needsHash;
  resource.behavior = old.behavior;
  resource.name = old.name;
  resource.namespace = old.namespace;
  resource.remember(old);
  if (behavior === "merge") {
    mergeData(resource, old);
    if (origin !== undefined) resource.setAnnotation("config.kubernetes.io/origin", origin);
  }
  map.resources[map.resources.indexOf(old)] = resource;
}

/** A name as the original's failures have it. */
function structText({ gvk, name, namespace, clusterScoped }: ResId): string {
  const quote = (text: string): string => JSON.stringify(text);
  return `resid.ResId{Gvk:resid.Gvk{Group:${quote(gvk.group)}, Version:${quote(gvk.version)}, Kind:${quote(gvk.kind)}, isClusterScoped:${clusterScoped}}, Name:${quote(name)}, Namespace:${quote(namespace)}}`;
}
