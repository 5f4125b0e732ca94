import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ImageName, openImageFiles, openSource, parseImageName, pushArtifact, TRANSPORTS } from "@boxship/images";
import { createdSeconds, hostPlatform, parsePlatform } from "@boxship/oci";
import { type BomSubject, type Inventory, takeInventory } from "@boxship/scan";
import type { Context } from "../context.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, type FlagValues, text } from "../flags/flag.ts";
import { parseFlags } from "../flags/parse-flags.ts";
import { imageFlags } from "../skopeo/flags.ts";
import { surroundings } from "../skopeo/surroundings.ts";
import { versionLine } from "../version.ts";
import { accessFlags, registryAccess } from "./registry-access.ts";

/** What commands that look into images have in common. */
export const scanFlags = {
  ...accessFlags,
  attach: bool("Attach the result to the image in its registry, as a referrer"),
  output: text("File to write to, instead of standard output", { short: "o", hint: "path" }),
  platform: text('Platform of the image, where there are several: "os[/arch[/variant]]"'),
} as const;

type ScanFlags = FlagValues<typeof scanFlags>;

export interface ScannedImage {
  readonly inventory: Inventory;
  readonly subject: BomSubject;
}

/** The image of a name: with a transport before it, or the engine's. */
function imageName(name: string): ImageName {
  const transport = name.slice(0, name.indexOf(":"));
  return TRANSPORTS.includes(transport) ? parseImageName(name) : { transport: "containers-storage", image: name };
}

/** Takes the inventory of an image, wherever it is. */
export async function scanImage(context: Context, flags: ScanFlags, name: string): Promise<ScannedImage> {
  const image = imageName(name);
  const registry = image.transport === "docker" ? image.reference.domain : undefined;
  await using around = surroundings(context, { ...parseFlags(imageFlags, []).values, ...flags }, registry);
  await using source = await openSource(image, around);
  const platform = flags.platform === "" ? hostPlatform() : parsePlatform(flags.platform);
  await using files = await openImageFiles(source, { platform, verify: false });
  const inventory = await takeInventory({ layers: files.layers });
  return {
    inventory,
    subject: {
      name,
      digest: files.digest,
      created: createdSeconds(files.config),
      toolVersion: /\d+\.\d+\.\d+\S*/.exec(versionLine())?.[0].replace(/,$/, "") ?? "0",
    },
  };
}

/** Prints a result, writes it, and attaches it, as the flags say. */
export async function deliver(
  context: Context,
  flags: ScanFlags,
  image: string,
  result: { readonly text: string; readonly artifactType: string },
): Promise<void> {
  if (flags.output === "") print(context, result.text.replace(/\n$/, ""));
  else await writeFile(flags.output, result.text);
  if (flags.attach) await attach(context, flags, image, result);
}

async function attach(
  context: Context,
  flags: ScanFlags,
  image: string,
  result: { readonly text: string; readonly artifactType: string },
): Promise<void> {
  const name = imageName(image);
  if (name.transport !== "docker") {
    throw new Failure(`--attach needs an image in a registry, and ${image} is not in one`, {
      remedy: "name it as docker://REGISTRY/NAME:TAG",
    });
  }
  const directory = await mkdtemp(join(tmpdir(), "boxship-attach-"));
  try {
    const path = join(directory, "report.json");
    await writeFile(path, result.text);
    await using client = registryAccess(context, flags, name.reference.domain);
    const { artifactType } = result;
    const files = [{ path, mediaType: artifactType }];
    await pushArtifact({ client, reference: name.reference, files, artifactType, attach: true });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
