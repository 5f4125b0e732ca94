import { type Platform, parsePlatform } from "@boxship/oci";
import { type Containerfile, refuse, type Stage } from "../language/index.ts";
import { platformText } from "../solver/build-args.ts";
import { placed } from "../solver/steps/metadata.ts";
import type { Findings } from "./findings.ts";
import type { GlobalArgs } from "./global-args.ts";
import { suggestion } from "./suggest.ts";
import { type Expanded, expandKnown } from "./variables.ts";

/** What `FROM` of a stage says, variables replaced. */
export interface CheckedFrom {
  readonly image: string;
  /** Arguments that it names. */
  readonly used: ReadonlySet<string>;
  readonly platform: Platform;
}

/** Rules about one `FROM`. @throws ContainerfileError for a platform that is none */
export function checkStageFrom(
  file: Containerfile,
  stage: Stage,
  globals: GlobalArgs,
  target: Platform,
  findings: Findings,
): CheckedFrom {
  const { from } = stage;
  const expand = (word: string) => placed(from as never, () => expandKnown(word, globals.values, file.escape));
  const image = expand(from.image);
  reportMissing(stage, image, globals, findings);
  if (image.text === "") refuse(from.place, `base name (${from.image}) should not be blank`);
  if (from.platform === undefined) return { image: image.text, used: image.found, platform: target };
  const platform = expand(from.platform);
  reportMissing(stage, platform, globals, findings);
  reportPlatform(stage, from.platform, platform, globals, findings);
  const used = image.found.union(platform.found);
  return { image: image.text, used, platform: readPlatformOf(stage, from.platform, platform, globals) };
}

function reportMissing({ from }: Stage, { missing }: Expanded, globals: GlobalArgs, findings: Findings): void {
  for (const name of missing) {
    if (globals.infos.has(name)) continue;
    const meant = suggestion(name, new Set([...globals.infos.keys(), ...globals.values.keys()]));
    findings.add("UndefinedArgInFrom", from.place, `FROM argument '${name}' is not declared${meant}`, from.comments);
  }
}

function reportPlatform(
  { name = "", from }: Stage,
  written: string,
  { text, found, missing }: Expanded,
  globals: GlobalArgs,
  findings: Findings,
): void {
  const { place, comments } = from;
  if (missing.size === 0 && found.size === 1 && found.has("TARGETPLATFORM")) {
    if (text !== globals.values.get("TARGETPLATFORM")) return;
    const message = `Setting platform to predefined ${written} in FROM is redundant as this is the default behavior`;
    findings.add("RedundantTargetPlatform", place, message, comments);
    return;
  }
  if (found.size + missing.size > 0) return;
  const platform = tryPlatform(text);
  if (platform === undefined || name.includes(platform.os) || name.includes(platform.architecture)) return;
  const message = `FROM --platform flag should not use constant value ${JSON.stringify(text)}`;
  findings.add("FromPlatformFlagConstDisallowed", place, message, comments);
}

function tryPlatform(text: string): Platform | undefined {
  try {
    return parsePlatform(text);
  } catch {
    return undefined;
  }
}

function readPlatformOf({ from }: Stage, written: string, { text, missing }: Expanded, globals: GlobalArgs): Platform {
  const [name = ""] = missing;
  const meant = suggestion(name, globals.values.keys());
  if (text === "") refuse(from.place, `empty platform value from expression ${written}${meant}`);
  return tryPlatform(text) ?? refuse(from.place, `failed to parse platform ${written}${meant}`, "write linux/amd64");
}

/** An image that is here for another platform only. */
export function checkBasePlatform(
  { from }: Stage,
  { image, platform }: CheckedFrom,
  found: string | undefined,
  findings: Findings,
): void {
  const { os, architecture } = platform;
  if (found === undefined || found.split("/").slice(0, 2).join("/") === `${os}/${architecture}`) return;
  const wanted = platformText(platform);
  const message = `Base image ${image} was pulled with platform "${found}", expected "${wanted}" for current build`;
  findings.add("InvalidBaseImagePlatform", from.place, message);
}
