import { errorMessage, InvalidArgument, NotFound, PermissionDenied } from "@boxship/base/errors";
import { goJson, type InspectedImage, inspectImage, ociConfig, openSource, parseImageName } from "@boxship/images";
import { type Reference, repositoryName } from "@boxship/oci";
import { Template, templateFunctions, typed } from "@boxship/template";
import { bool, text } from "../flags/flag.ts";
import { parseFlags } from "../flags/parse-flags.ts";
import { registryOf, retrying } from "./copy.ts";
import { imageFlags } from "./flags.ts";
import { goWords } from "./go-words.ts";
import { configType, inspectType } from "./inspect-types.ts";
import type { SkopeoSession } from "./session.ts";
import { type OpenedSurroundings, surroundings } from "./surroundings.ts";

const flagSet = {
  ...imageFlags,
  config: bool("output configuration"),
  format: text("Format the output to a Go template", { short: "f" }),
  "no-tags": bool("Do not list the available tags from the repository in the output", { short: "n" }),
  raw: bool("output raw manifest or configuration"),
  "retry-times": imageFlagsRetry(),
} as const;

function imageFlagsRetry() {
  return { ...text("the number of times to possibly retry"), initial: 0, parse: Number } as const;
}

/** What `skopeo inspect` prints of an image. */
interface InspectOutput {
  readonly Name?: string;
  readonly Digest: string;
  readonly RepoTags: readonly string[];
  readonly Created: string | null;
  readonly DockerVersion: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Architecture: string;
  readonly Os: string;
  readonly Layers: readonly string[];
  readonly Env: readonly string[] | null;
}

export async function inspect(session: SkopeoSession, args: readonly string[]): Promise<void> {
  const { values: flags, operands } = parseFlags(flagSet, args);
  const [image, ...others] = operands;
  if (image === undefined || others.length > 0) throw new InvalidArgument("Exactly one argument expected");
  if (flags.raw && flags.format !== "") throw new InvalidArgument("raw output does not support format option");
  const { context } = session;
  const name = parse(image);
  await using around = surroundings(context, flags, registryOf(name));
  await using source = await openNamed(image, name, around);
  const work = async (): Promise<string> => {
    if (flags.raw && !flags.config) return Buffer.from((await source.manifest()).bytes).toString();
    const inspected = await inspectImage(source, session.platform);
    if (flags.config && flags.raw) return inspected.configBytes.toString();
    if (flags.config) return `${configText(inspected, flags.format)}\n`;
    const reference = name.transport === "docker" ? name.reference : undefined;
    const tags = reference === undefined || flags["no-tags"] ? [] : await tagsOf(around, reference);
    return `${outputText(describe(inspected, reference, tags), flags.format)}\n`;
  };
  context.stdout.write(
    await retrying(flags["retry-times"], work).catch((error: unknown) => {
      // A directory is only looked at when its manifest is read.
      if (name.transport !== "dir" || !(error instanceof NotFound)) return explain(image, error);
      throw new InvalidArgument(`Error retrieving manifest for image: ${errorMessage(error)}`, { cause: error });
    }),
  );
}

function parse(image: string) {
  try {
    return parseImageName(image);
  } catch (error) {
    return explain(image, error);
  }
}

function openNamed(image: string, name: ReturnType<typeof parse>, around: OpenedSurroundings) {
  return openSource(name, around).catch((error: unknown) => explain(image, error));
}

function explain(image: string, error: unknown): never {
  const words = goWords(error);
  // A template's mistake is not the image's.
  if (words.startsWith("template: ")) throw error;
  throw new InvalidArgument(`Error parsing image name ${JSON.stringify(image)}: ${words}`, { cause: error });
}

async function tagsOf({ client }: OpenedSurroundings, reference: Reference): Promise<readonly string[]> {
  try {
    return await client.tags(reference);
  } catch (error) {
    // Some registries let nobody list tags.
    if (error instanceof PermissionDenied || error instanceof NotFound) return [];
    throw error;
  }
}

function describe(
  { digest, manifest, config, dockerVersion }: InspectedImage,
  reference: Reference | undefined,
  tags: readonly string[],
): InspectOutput {
  return {
    ...(reference !== undefined && { Name: repositoryName(reference) }),
    Digest: digest,
    RepoTags: tags,
    Created: config.created === undefined ? null : goTimestamp(config.created),
    DockerVersion: dockerVersion,
    Labels: config.config?.Labels === undefined ? null : sorted(config.config.Labels),
    Architecture: config.architecture,
    Os: config.os,
    Layers: manifest.layers.map((layer) => layer.digest),
    Env: config.config?.Env ?? null,
  };
}

/** Go drops zeros at the end of a fraction. */
function goTimestamp(time: string): string {
  return time.replace(/\.(\d*?)0*(?=Z|[+-]\d\d:\d\d$)/, (_, digits: string) => (digits === "" ? "" : `.${digits}`));
}

function sorted(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function outputText(output: InspectOutput, format: string): string {
  if (format === "" || format === "json") return goJson(output, "    ");
  return expand(format, typed(inspectType, output));
}

function configText(inspected: InspectedImage, format: string): string {
  const config = ociConfig(inspected.config);
  return format === "" || format === "json" ? goJson(config, "    ") : expand(format, typed(configType, config));
}

function expand(format: string, value: unknown): string {
  return new Template("skopeo inspect", { functions: templateFunctions }).parse(format).execute(value);
}
