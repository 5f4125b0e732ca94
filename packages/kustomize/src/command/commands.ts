import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { FlagValues, ParsedSet } from "@boxship/base/parse-flags";
import { array, bool, slice, str } from "@boxship/kubectl/flags";
import { buildKustomization } from "../build.ts";
import type { EditContext, KustomizeIo } from "../edit/context.ts";
import { addData, addPatch, removeData, removePatch, setData, setImages, setReplicas } from "../edit/entries.ts";
import { fixFields, tryBuild } from "../edit/fix.ts";
import { KustomizationFile } from "../edit/kustomization-file.ts";
import { addBases, addMetadata, addPaths, metadataOptions, removeEntries, removeMetadata } from "../edit/lists.ts";
import { addPlainLabels, addTexts, removeTexts } from "../edit/texts.ts";
import { BuildFailure } from "../failure.ts";
import type { RunHelm } from "../target/inflate-chart.ts";
import { KUSTOMIZE_VERSION } from "../version.ts";
import { createKustomization } from "./create.ts";

/** One command: its words, its flags, and what it does. */
export interface KustomizeCommand<S extends ParsedSet = ParsedSet> {
  /** `edit add resource` */
  readonly words: string;
  readonly usage: string;
  readonly summary: string;
  readonly flags: S;
  run(io: KustomizeIo, operands: readonly string[], flags: FlagValues<S>, changed: ReadonlySet<string>): Promise<void>;
}

function define<const S extends ParsedSet>(command: KustomizeCommand<S>): KustomizeCommand {
  return command;
}

/** One that changes the kustomization file of the directory. */
function edit<const S extends ParsedSet>(
  words: string,
  usage: string,
  summary: string,
  flags: S,
  change: (context: EditContext, flags: FlagValues<S>) => void | Promise<void>,
): KustomizeCommand {
  return define({
    words: `edit ${words}`,
    usage,
    summary,
    flags,
    async run(io, operands, given) {
      const file = await KustomizationFile.open(io.directory);
      await change({ io, file, operands }, given);
      await file.save();
    },
  });
}

/** Of transformers that are programs or containers. */
const REFUSED_FLAGS = {
  "as-current-user": bool(),
  "enable-alpha-plugins": bool(),
  "enable-exec": bool(),
  "enable-star": bool(),
  env: slice({ short: "e" }),
  mount: slice(),
  network: bool(),
  "network-name": str("bridge"),
};

const build = define({
  words: "build",
  usage: "DIR",
  summary: "Build a kustomization target from a directory or URL",
  flags: {
    ...REFUSED_FLAGS,
    "enable-helm": bool(),
    "helm-api-versions": slice(),
    "helm-command": str("helm"),
    "helm-debug": bool(),
    "helm-kube-version": str(),
    "enable-managedby-label": bool(),
    "load-restrictor": str("LoadRestrictionsRootOnly"),
    output: str("", { short: "o" }),
    reorder: str("none"),
  },
  async run(io, operands, flags, changed) {
    const refused = Object.keys(REFUSED_FLAGS).find((name) => changed.has(name));
    if (refused !== undefined) throw new BuildFailure(`--${refused} is not supported`);
    if (operands.length > 1) throw new BuildFailure("specify one path to kustomization.yaml");
    const restrictor = flags["load-restrictor"];
    if (!["LoadRestrictionsRootOnly", "LoadRestrictionsNone"].includes(restrictor)) {
      throw new BuildFailure(
        `illegal flag value --load-restrictor ${restrictor}; legal values: [LoadRestrictionsRootOnly LoadRestrictionsNone]`,
      );
    }
    if (flags.reorder !== "none" && flags.reorder !== "legacy") {
      throw new BuildFailure(`illegal flag value --reorder ${flags.reorder}; legal values: [legacy none]`);
    }
    const text = await buildKustomization(pathOf(io, operands[0]), {
      // Only who asks for no order gets none.
      reorder: changed.has("reorder") && flags.reorder === "none" ? "none" : "legacy",
      unrestricted: restrictor === "LoadRestrictionsNone",
      helm: {
        run: flags["enable-helm"]
          ? helmOf(io, changed.has("helm-command") ? flags["helm-command"] : undefined)
          : undefined,
        command: flags["helm-command"],
        kubeVersion: flags["helm-kube-version"],
        apiVersions: flags["helm-api-versions"],
        debug: flags["helm-debug"],
      },
      managedBy: flags["enable-managedby-label"],
      version: KUSTOMIZE_VERSION,
      warn: (line) => io.stderr.write(`${line}\n`),
      run: io.run,
    });
    if (flags.output === "") io.stdout.write(text);
    else await writeFile(resolve(io.directory, flags.output), text);
  },
});

function helmOf({ helm }: KustomizeIo, command: string | undefined): RunHelm {
  if (helm === undefined) throw new BuildFailure("--enable-helm is not supported: nothing here renders charts");
  return helm(command);
}

const pathOf = (io: KustomizeIo, path = "."): string =>
  /^[\w-]+(:\/\/|@|\.com\/)/.test(path) ? path : resolve(io.directory, path);

const one = (operands: readonly string[], what: string): string => {
  const [value, ...more] = operands;
  if (value === undefined || more.length > 0) throw new BuildFailure(`must specify exactly one ${what} value`);
  return value;
};

const patchFlags = {
  path: str(),
  patch: str(),
  group: str(),
  version: str(),
  kind: str(),
  name: str(),
  namespace: str(),
  "annotation-selector": str(),
  "label-selector": str(),
};

const dataFlags = {
  "from-literal": array(),
  "from-file": array(),
  "from-env-file": str(),
  behavior: str(),
  namespace: str(),
  disableNameSuffixHash: bool(),
};

const setDataFlags = { "from-literal": array(), namespace: str(), "new-namespace": str() };
const force = { force: bool(false, { short: "f" }) };
const ignoreMissing = { "ignore-non-existence": bool(false, { short: "i" }) };

const addLabel = edit(
  "add label",
  "KEY:VALUE,...",
  "Adds labels",
  { ...force, "without-selector": bool(), "include-templates": bool() },
  (context, flags) => {
    if (flags["include-templates"] && !flags["without-selector"]) {
      throw new BuildFailure("--without-selector flag must be specified for --include-templates to work");
    }
    if (flags["without-selector"]) addPlainLabels(context, flags["include-templates"], flags.force);
    else addTexts(context, "commonLabels", "label", flags.force);
  },
);

const fix = define({
  words: "edit fix",
  usage: "",
  summary: "Says by newer fields what deprecated ones say",
  flags: { vars: bool() },
  async run(io, _operands, { vars }) {
    if (vars) throw new BuildFailure("--vars is not supported: replace variables by hand");
    const before = await tryBuild(io);
    const file = await KustomizationFile.open(io.directory);
    await fixFields({ io, file, operands: [] });
    await file.save();
    io.stdout.write(
      "\nFixed fields:\n  patchesJson6902 -> patches\n  patchesStrategicMerge -> patches\n  commonLabels -> labels\n",
    );
    const after = await tryBuild(io);
    if (after instanceof BuildFailure) {
      io.stdout.write(
        `Warning: 'Fixed' kustomization now produces the error when running \`kustomize build\`: ${after.message}\n`,
      );
    } else if (after !== before) {
      io.stdout.write("Warning: 'Fixed' kustomization now produces different output when running `kustomize build`\n");
    }
  },
});

const version = define({
  words: "version",
  usage: "",
  summary: "Prints the version of kustomize whose behaviour this is",
  flags: {},
  async run(io) {
    io.stdout.write(`${KUSTOMIZE_VERSION}\n`);
  },
});

export const COMMANDS: readonly KustomizeCommand[] = [
  build,
  define(createKustomization),
  edit("add annotation", "KEY:VALUE,...", "Adds annotations", force, (context, flags) =>
    addTexts(context, "commonAnnotations", "annotation", flags.force),
  ),
  edit("add base", "DIR,...", "Adds bases", {}, addBases),
  edit("add buildmetadata", "OPTION,...", "Adds options of buildMetadata", {}, addMetadata),
  edit("add component", "PATH...", "Adds components", {}, (context) =>
    addPaths(context, "components", "component file"),
  ),
  edit("add configmap", "NAME", "Adds a generator of a ConfigMap", dataFlags, (context, flags) =>
    addData(context, "configMapGenerator", "configmap", flags),
  ),
  edit("add generator", "PATH...", "Adds generators", {}, (context) =>
    addPaths(context, "generators", "generator file"),
  ),
  addLabel,
  edit("add patch", "", "Adds a patch", patchFlags, addPatch),
  edit("add resource", "PATH...", "Adds resources", { "no-verify": bool() }, (context) =>
    addPaths(context, "resources", "resource file"),
  ),
  edit("add secret", "NAME", "Adds a generator of a Secret", { ...dataFlags, type: str("Opaque") }, (context, flags) =>
    addData(context, "secretGenerator", "secret", flags),
  ),
  edit("add transformer", "PATH...", "Adds transformers", {}, (context) =>
    addPaths(context, "transformers", "transformer file"),
  ),
  fix,
  edit("remove annotation", "KEY,...", "Takes annotations away", ignoreMissing, (context, flags) =>
    removeTexts(context, "commonAnnotations", "annotation", flags["ignore-non-existence"]),
  ),
  edit("remove buildmetadata", "OPTION,...", "Takes options of buildMetadata away", {}, removeMetadata),
  edit("remove configmap", "NAME,...", "Takes generators of ConfigMaps away", { namespace: str() }, (context, flags) =>
    removeData(context, "configMapGenerator", "configmap", flags.namespace),
  ),
  edit("remove label", "KEY,...", "Takes labels away", ignoreMissing, (context, flags) =>
    removeTexts(context, "commonLabels", "label", flags["ignore-non-existence"]),
  ),
  edit("remove patch", "", "Takes a patch away", patchFlags, removePatch),
  edit("remove resource", "PATH...", "Takes resources away", {}, (context) =>
    removeEntries(context, "resources", "resource file"),
  ),
  edit("remove secret", "NAME,...", "Takes generators of Secrets away", { namespace: str() }, (context, flags) =>
    removeData(context, "secretGenerator", "secret", flags.namespace),
  ),
  edit("remove transformer", "PATH...", "Takes transformers away", {}, (context) =>
    removeEntries(context, "transformers", "transformer file"),
  ),
  edit("set annotation", "KEY:VALUE...", "Sets annotations", {}, (context) =>
    addTexts(context, "commonAnnotations", "annotation", true),
  ),
  edit("set buildmetadata", "OPTION,...", "Sets buildMetadata", {}, (context) =>
    context.file.set("buildMetadata", [...metadataOptions(context)]),
  ),
  edit("set configmap", "NAME", "Changes literals of a generated ConfigMap", setDataFlags, (context, flags) =>
    setData(context, "configMapGenerator", "configmap", flags),
  ),
  edit("set image", "IMAGE...", "Sets names, tags and digests of images", {}, setImages),
  edit("set label", "KEY:VALUE...", "Sets labels", {}, (context) => addTexts(context, "commonLabels", "label", true)),
  edit("set nameprefix", "PREFIX", "Sets namePrefix", {}, ({ file, operands }) =>
    file.set("namePrefix", one(operands, "prefix")),
  ),
  edit("set namespace", "NAMESPACE", "Sets namespace", {}, ({ file, operands }) =>
    file.set("namespace", one(operands, "namespace")),
  ),
  edit("set namesuffix", "SUFFIX", "Sets nameSuffix", {}, ({ file, operands }) =>
    file.set("nameSuffix", one(operands, "suffix")),
  ),
  edit("set replicas", "NAME=COUNT...", "Sets how many there are", {}, setReplicas),
  edit("set secret", "NAME", "Changes literals of a generated Secret", setDataFlags, (context, flags) =>
    setData(context, "secretGenerator", "secret", flags),
  ),
  version,
];

/** Commands of the original that are not here, and why. */
export const REFUSED_COMMANDS: ReadonlyMap<string, string> = new Map([
  ["cfg", "functions over configuration are not run here"],
  ["completion", "there are no scripts for shells yet"],
  ["edit alpha-list-builtin-plugin", "docs/kustomize.md lists them"],
  ["fn", "functions in containers are not run here"],
  ["localize", "copy the bases by git"],
  ["openapi", "take the definitions from the server with kubectl get --raw /openapi/v2"],
]);
