import { withLastApplied } from "../apply-annotation.ts";
import { defineCommand, type Invocation } from "../command.ts";
import { forEach, PlainRefusal, Refusal } from "../failure.ts";
import { bool, str } from "../flags.ts";
import { dryRunFlag, fileFlags, outputFlags, selectorFlag } from "../global-flags.ts";
import { fieldValidation, parseDryRun, resultPrinter } from "../print/result.ts";
import { createObject } from "../request/objects.ts";
import { withSource } from "../request/with-source.ts";
import { readWhatCan } from "../resource/manifests.ts";
import type { Session } from "../session.ts";

export const createFlags = {
  ...fileFlags,
  ...outputFlags,
  ...dryRunFlag,
  ...selectorFlag,
  edit: bool(),
  "field-manager": str("kubectl-create"),
  raw: str(),
  "save-config": bool(),
  validate: str("strict", { bare: "strict" }),
  "windows-line-endings": bool(),
};

export const command = defineCommand({
  usage: "-f FILENAME [options]",
  summary: "Create a resource from a file or from stdin",
  flags: createFlags,
  run: createFromFiles,
});

async function createFromFiles(session: Session, { flags, operands, path }: Invocation<typeof createFlags>) {
  if (flags.filename.length === 0 && flags.kustomize === "") {
    throw operands.length > 0
      ? new PlainRefusal(`error: Unexpected args: [${operands.join(" ")}]\nSee '${path} -h' for help and examples`)
      : new Refusal("must specify one of -f and -k");
  }
  for (const refused of ["edit", "windows-line-endings"] as const) {
    if (flags[refused]) throw new Refusal(`--${refused} is not supported`);
  }
  if (flags.raw !== "") throw new Refusal("--raw is not supported");
  const dryRun = parseDryRun(flags["dry-run"]);
  const print = await resultPrinter(flags, "created", dryRun);
  const options = {
    dryRun: dryRun === "server",
    fieldManager: flags["field-manager"],
    fieldValidation: fieldValidation(flags.validate),
  };
  const errors: unknown[] = [];
  const manifests = await readWhatCan(session, flags, errors);
  if (manifests.length === 0 && errors.length === 0) throw new Refusal("no objects passed to create");
  await forEach(
    manifests,
    async (manifest) => {
      const object = flags["save-config"] ? withLastApplied(manifest.object) : manifest.object;
      const made =
        dryRun === "client"
          ? object
          : await withSource("creating", manifest.source, () => createObject(session, manifest, object, options));
      session.io.stdout.write(print(made));
    },
    errors,
  );
}
