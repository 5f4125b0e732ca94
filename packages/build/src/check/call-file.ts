import { BoxshipError, InvalidArgument, Unsupported } from "@boxship/base";
import { configPlatform, type ImageConfig } from "@boxship/oci";
import type { BuildRequest, CallResult } from "../contract.ts";
import { ContainerfileError, parseContainerfile, refuse, type Stage } from "../language/index.ts";
import { imageDocument } from "../solver/base-image.ts";
import { platformText } from "../solver/build-args.ts";
import { layoutImage } from "../solver/layout-image.ts";
import type { BuildSession } from "../solver/session.ts";
import { type CheckedFile, type CheckRequest, checkContainerfile } from "./check-file.ts";
import type { CheckedFrom } from "./check-from.ts";
import { type CheckOptions, parseCheckOptions } from "./check-options.ts";
import { checkInstructions } from "./check-source.ts";
import { describeResult } from "./describe-result.ts";
import { Findings } from "./findings.ts";
import { type CheckError, lintResult } from "./lint-result.ts";
import { outlineResult } from "./outline-result.ts";
import { type CheckedBase, NOTHING } from "./stage-scope.ts";
import { targetsResult } from "./targets-result.ts";

/** The build argument that goes before `# check=` in a file. */
const CHECK_ARG = "BUILDKIT_DOCKERFILE_CHECK";

/** What the build, else the file, says of checks. @throws InvalidArgument */
export function checkOptionsOf({ args = {} }: Pick<BuildRequest, "args">, check: string | undefined): CheckOptions {
  const given = Object.hasOwn(args, CHECK_ARG) ? args[CHECK_ARG] : undefined;
  return parseCheckOptions(given ?? check ?? "");
}

/** A build as the rules see it. */
export function checkRequestOf(
  session: BuildSession,
  options: Pick<CheckRequest, "allStages" | "baseOf">,
): CheckRequest {
  const { request, file, platform, contexts } = session;
  return {
    file,
    target: request.target,
    args: request.args ?? {},
    platform,
    ignore: () => contexts.knownIgnore(),
    isContext: (name) => contexts.source(name) !== undefined,
    ...options,
  };
}

/**
 * Answers a question about a Containerfile; nothing is built, and of images only what they say of themselves is fetched.
 *
 * @param read reads the file into the session
 * @throws Unsupported for other questions, and for outline and targets what is wrong with the file
 */
export async function callFile(session: BuildSession, call: string, read: () => Promise<void>): Promise<CallResult> {
  switch (call) {
    case "subrequests.describe":
      return describeResult();
    case "lint":
      return lint(session, read);
    case "targets":
      await read();
      return targetsResult(session.file);
    case "outline":
      await read();
      return outlineResult(session.file, await look(session, new Findings(NO_CHECKS), false));
    default:
      throw new Unsupported(`unsupported request frontend.${call}`, {
        remedy: "ask for lint (check), outline, targets or subrequests.describe",
      });
  }
}

const NO_CHECKS: CheckOptions = { skip: "all", experimental: new Set(), error: false };

function look(session: BuildSession, findings: Findings, allStages: boolean): Promise<CheckedFile> {
  const request = checkRequestOf(session, { allStages, baseOf: (stage, from) => baseFromImage(session, stage, from) });
  return checkContainerfile(request, findings);
}

async function lint(session: BuildSession, read: () => Promise<void>): Promise<CallResult> {
  const { target = "" } = session.request;
  try {
    await read();
  } catch (error) {
    if (!(error instanceof ContainerfileError)) throw error;
    return lintUnreadable(session, error);
  }
  const { file } = session;
  const options = checkOptionsOf(session.request, file.check);
  const findings = new Findings(options);
  let failure: CheckError | undefined;
  try {
    await look(session, findings, target === "");
    const broken = violation(findings, options);
    if (broken !== undefined) failure = { message: broken.message, place: undefined };
  } catch (error) {
    if (!(error instanceof BoxshipError)) throw error;
    session.signal.throwIfAborted();
    failure = errorOf(error);
  }
  return lintResult(findings.all, file.sources, failure);
}

const errorOf = (error: BoxshipError): CheckError =>
  error instanceof ContainerfileError
    ? { message: error.what, place: error.place }
    : { message: error.message, place: undefined };

/** Says what is wrong, and what the rules find above it. */
async function lintUnreadable(session: BuildSession, error: ContainerfileError): Promise<CallResult> {
  const { name, bytes } = session.source ?? { name: error.place.file, bytes: new Uint8Array(0) };
  const lines = Buffer.from(bytes).toString("utf8").split(/\r?\n/);
  const above = error.place.file === name ? lines.slice(0, error.place.lines[0] - 1).join("\n") : "";
  const file = await parseContainerfile(Buffer.from(above), { name }).catch(() => undefined);
  const findings = new Findings(checkOptionsOf(session.request, file?.check));
  if (file !== undefined) await checkInstructions(file, findings);
  const message = `dockerfile parse error on line ${error.place.lines[0]}: ${error.what}`;
  const place = error.place.file === name ? error.place : undefined;
  return lintResult(findings.all, new Map([[name, lines]]), { message, place });
}

/** What a file that wants no findings is refused with; undefined when there are none, or they are only told. */
export function violation({ all }: Findings, { error }: CheckOptions): InvalidArgument | undefined {
  if (!error || all.length === 0) return undefined;
  const rules = [...new Set(all.map(({ rule }) => rule))].join(", ");
  return new InvalidArgument(`lint violation found for rules: ${rules}`, {
    remedy: "look at them with --check, or take error=true out of # check=",
  });
}

/** What an image says of itself, here or at its registry. @throws ContainerfileError where there is none */
async function baseFromImage(
  session: BuildSession,
  stage: Stage,
  { image, platform }: CheckedFrom,
): Promise<CheckedBase> {
  const source = session.contexts.source(image);
  if (source !== undefined && source.kind !== "image" && source.kind !== "layout") return NOTHING;
  try {
    if (source?.kind === "layout") return baseOfConfig((await layoutImage(session, source, platform)).config);
    return baseOfConfig(await imageDocument(session, source?.reference ?? image, platform));
  } catch (error) {
    session.signal.throwIfAborted();
    if (!(error instanceof BoxshipError)) throw error;
    return refuse(stage.from.place, `${image}: ${error.message}`, error.remedy);
  }
}

/** What checks ask of an image. */
export function baseOfConfig(document: ImageConfig): CheckedBase {
  const { Env = [], Shell = [], OnBuild = [] } = document.config ?? {};
  const platform = platformText(configPlatform(document));
  return { env: Env ?? [], hasShell: (Shell ?? []).length > 0, platform, triggers: OnBuild ?? [] };
}
