import { existsSync } from "node:fs";
import { join } from "node:path";
import { BUILD_FLAGS, type BuildFlags, executeBuild } from "../../build/execute-build.ts";
import { BuildFailed } from "../../build/run-build.ts";
import { defineBuildah, imageName, refused, withoutMeaning } from "../../buildah/buildah-command.ts";
import { stepProgress } from "../../buildah/step-progress.ts";
import { bareId } from "../../buildah/working-api.ts";
import { isolationFlag, networkOf } from "../../buildah/working-flags.ts";
import { print } from "../../context.ts";
import { Failure } from "../../failure.ts";
import { bool, integer, list } from "../../flags/flag.ts";
import { fullName, parseImageName } from "../../format/image-name.ts";
import { formatFlag } from "./commit.ts";
import { pullFlag } from "./from.ts";

const {
  "on-error": _onError,
  call: _call,
  check: _check,
  progress: _progress,
  push: _push,
  load: _load,
  pull: _pull,
  file: _file,
  ...shared
} = BUILD_FLAGS;

export const command = defineBuildah({
  usage: "[OPTIONS] [CONTEXT]",
  summary: "Build an image using instructions in a Containerfile",
  // Its flags may follow the context.
  interspersed: true,
  flags: {
    ...shared,
    ...refused({
      "all-platforms": "build for one platform",
      authfile: "log in with boxship login",
      "cap-add": "write RUN --security=insecure",
      "cap-drop": "commands have Docker's capabilities",
      "cert-dir": "configure the registry in config.yaml",
      "cpp-flag": "files are not preprocessed",
      creds: "log in with boxship login",
      device: "write RUN --security=insecure",
      dns: "name a network with the name servers",
      env: "write ENV",
      from: "write it in the file, with ARG",
      ignorefile: "write NAME.containerignore beside the file",
      logfile: "redirect the output",
      manifest: "there are no manifest lists here",
      "omit-history": "history is always written",
      runtime: "the engine chooses its runtime",
      "security-opt": "write RUN --security",
      "tls-verify": "configure the registry in config.yaml",
      unsetenv: "write ENV NAME=",
      userns: "user namespaces are the engine's own",
      volume: "write RUN --mount=type=bind",
    }),
    compress: withoutMeaning(bool("Layers are compressed when they are pushed")),
    "disable-compression": withoutMeaning(
      bool("Layers are not compressed until they are pushed", { short: "D", initial: true }),
    ),
    file: list("Pathname of a Containerfile", { short: "f" }),
    format: { ...formatFlag, short: undefined as never },
    isolation: isolationFlag,
    jobs: integer("Stages that do not need each other are always built at the same time", { initial: 1 }),
    layers: withoutMeaning(bool("Steps are always cached; --no-cache does not use them")),
    pull: { ...pullFlag, bare: "true" },
    squash: bool("Squash all layers, those of the base image too, into one"),
    "skip-unused-stages": withoutMeaning(bool("Stages that are not needed are not built", { initial: true })),
    timestamp: integer("Set created timestamp to the specified epoch seconds to allow for deterministic builds"),
  },
  async run(context, { flags, changed, operands: [directory = ".", ...more] }) {
    if (more.length > 0) throw new Failure(`only one context can be built from, not ${more.join(" ")} too`);
    const [file = defaultFile(directory), ...otherFiles] = flags.file;
    if (otherFiles.length > 0)
      throw new Failure("several files are not supported", { remedy: "use INCLUDE in one of them" });
    if (!flags["skip-unused-stages"]) throw new Failure("--skip-unused-stages=false is not supported");
    if (flags.pull === "never") throw new Failure("--pull=never is not supported: images that are here are not pulled");
    const tags = flags.tag.map(imageName);
    const own: BuildFlags = {
      ...flags,
      file,
      tag: tags,
      network: networkOf(flags.network) ?? "default",
      pull: flags.pull === "always",
      push: false,
      load: false,
      progress: "plain",
      "on-error": "",
      call: "build",
      check: false,
    };
    const progress = stepProgress(context, flags.quiet);
    const epoch = changed.has("timestamp") ? { sourceDateEpoch: flags.timestamp } : {};
    const result = await executeBuild(context, own, directory, { progress, squash: "all", ...epoch }).catch(
      (error: unknown) => {
        throw explained(error);
      },
    );
    const id = bareId(result.imageId ?? "");
    if (!flags.quiet) {
      print(context, `${progress.prefix()}COMMIT${tags.length === 0 ? "" : ` ${flags.tag[0] ?? ""}`}`);
      if (id !== "") print(context, `--> ${id.slice(0, 11)}`);
      for (const tag of tags) {
        const name = parseImageName(tag);
        if (name !== undefined) print(context, `Successfully tagged ${fullName(name)}`);
      }
    }
    if (id !== "") print(context, id);
  },
});

/** Buildah looks for its own name first. */
function defaultFile(directory: string): string {
  return existsSync(join(directory, "Containerfile")) ? join(directory, "Containerfile") : "";
}

function explained(error: unknown): unknown {
  if (!(error instanceof BuildFailed) || error.failure === undefined) return error;
  const { instruction, exitCode, file, lines } = error.failure;
  const reason =
    exitCode === undefined
      ? error.message.replace(/^failed to solve: /, "")
      : `while running runtime: exit status ${exitCode}`;
  return new Failure(`Error: building at STEP ${JSON.stringify(instruction)}: ${reason}`, {
    status: exitCode ?? 125,
    remedy: error.remedy ?? `look at ${file}:${lines[0]}`,
    cause: error,
  });
}
