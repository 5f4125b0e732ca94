import { writeFileSync } from "node:fs";
import { errorMessage, InvalidArgument, Unsupported } from "@boxship/base/errors";
import {
  copyImage,
  describeName,
  type ImageName,
  type ImageSource,
  openDestination,
  openSource,
  parseFormat,
  parseImageName,
  type Selection,
  type Surroundings,
} from "@boxship/images";
import { familiarReference, parseReference } from "@boxship/oci";
import { print } from "../context.ts";
import type { FlagValues } from "../flags/flag.ts";
import { parseFlags } from "../flags/parse-flags.ts";
import { copyFlags, sideOf, type transferFlags } from "./flags.ts";
import { goWords } from "./go-words.ts";
import { policyCheck } from "./policy.ts";
import type { SkopeoSession } from "./session.ts";
import { surroundings } from "./surroundings.ts";
import { UsageError } from "./usage.ts";

type CopyFlags = FlagValues<typeof copyFlags>;

export async function copy(session: SkopeoSession, args: readonly string[]): Promise<void> {
  const { values: flags, operands } = parseFlags(copyFlags, args);
  const [from, to, ...others] = operands;
  if (from === undefined || to === undefined || others.length > 0) throw new UsageError("copy", copyFlags);
  refuse(flags);
  const source = named("source", from);
  const destination = named("destination", to);
  const select = selection(flags);
  const { context } = session;
  await using near = surroundings(context, sideOf(flags, "src"), registryOf(source));
  await using far = surroundings(context, sideOf(flags, "dest"), registryOf(destination));
  const additionalTags = flags["additional-tag"].map((tag) => parseReference(tag));
  const admit = await policyCheck(session, source, near.client);
  await using input = await within(`initializing source ${spelled(source)}`, () =>
    retrying(flags["retry-times"], () => opened(source, near)),
  );
  await using output = await within(`initializing destination ${to}`, () =>
    openDestination(destination, {
      ...far,
      additionalTags,
      layers: flags["dest-compress"] ? "compressed" : flags["dest-decompress"] ? "plain" : undefined,
      keepPlainLayers: flags["dest-oci-accept-uncompressed-layers"],
      from: source.transport === "docker" ? source.reference : undefined,
    }),
  );
  const result = await retrying(flags["retry-times"], () =>
    copyImage({
      source: input,
      destination: output,
      select,
      platform: session.platform,
      ...(flags.format !== "" && { format: parseFormat(flags.format) }),
      preserveDigests: flags["preserve-digests"],
      admit,
      ...(!flags.quiet && { onProgress: (line: string) => print(context, line) }),
    }),
  );
  if (flags.digestfile !== "") writeFileSync(flags.digestfile, result.digest);
}

/** Flags that are known and not done here. */
export function refuseSigning(flags: FlagValues<typeof transferFlags>): void {
  if (flags["sign-by"] !== "") {
    throw new Unsupported("--sign-by: signatures with GPG keys are not supported", { remedy: "use boxship sign" });
  }
  for (const name of ["sign-by-sigstore-private-key", "sign-passphrase-file"] as const) {
    if (flags[name] !== "") throw new Unsupported(`--${name} is not supported`, { remedy: "use boxship sign" });
  }
}

function refuse(flags: CopyFlags): void {
  refuseSigning(flags);
  for (const name of ["decryption-key", "encryption-key", "encrypt-layer"] as const) {
    if (flags[name].length > 0) throw new Unsupported(`--${name}: encrypted images are not supported`);
  }
  if (flags["sign-identity"] !== "") throw new Unsupported("--sign-identity is not supported");
  const format = flags["dest-compress-format"];
  if (format !== "" && format !== "gzip") throw new Unsupported(`--dest-compress-format ${format} is not supported`);
  if (flags["dest-compress-level"] !== 0) throw new Unsupported("--dest-compress-level is not supported");
  if (flags["dest-compress"] && flags["dest-decompress"]) {
    throw new InvalidArgument("--dest-compress and --dest-decompress exclude each other");
  }
}

function selection(flags: Pick<CopyFlags, "all" | "multi-arch">): Selection {
  const word = flags["multi-arch"];
  if (word === "") return flags.all ? "all" : "system";
  if (flags.all) throw new InvalidArgument("Cannot use --all and --multi-arch flags together");
  if (word === "system" || word === "all" || word === "index-only") return word;
  throw new InvalidArgument(
    `unknown multi-arch option ${JSON.stringify(word)}. Choose one of the supported options: 'system', 'all', or 'index-only'`,
  );
}

function named(side: string, text: string): ImageName {
  try {
    return parseImageName(text);
  } catch (error) {
    throw new InvalidArgument(`Invalid ${side} name ${text}: ${errorMessage(error)}`, { cause: error });
  }
}

/** A source as skopeo spells it in errors: with the colon that comes before a name, even if there is none. */
function spelled(source: ImageName): string {
  if (source.transport === "docker") return `docker://${familiarReference(source.reference)}`;
  const mayBeNamed = source.transport === "oci" || source.transport === "oci-archive";
  return mayBeNamed ? `${source.transport}:${source.path}:${source.image}` : describeName(source);
}

/** A source; one in a registry with its manifest read, so that nothing is made for an image that is not there. */
async function opened(name: ImageName, near: Surroundings): Promise<ImageSource> {
  const source = await openSource(name, near);
  if (name.transport !== "docker") return source;
  const top = await source.manifest();
  return { ...source, manifest: async (digest) => (digest === undefined ? top : source.manifest(digest)) };
}

/** The registry that flags of an image are about. */
export function registryOf(name: ImageName): string | undefined {
  return name.transport === "docker" ? name.reference.domain : undefined;
}

async function within<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new InvalidArgument(`${what}: ${goWords(error)}`, { cause: error });
  }
}

/** Once more after failures that may pass. */
export async function retrying<T>(times: number, work: () => Promise<T>): Promise<T> {
  for (let left = times; ; left--) {
    try {
      return await work();
    } catch (error) {
      const passing = error instanceof Error && "code" in error && error.code === "Unavailable";
      if (left <= 0 || !passing) throw error;
    }
  }
}
