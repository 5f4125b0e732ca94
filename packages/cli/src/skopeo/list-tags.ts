import { InvalidArgument, NotFound, Unsupported } from "@boxship/base/errors";
import { dockerArchiveTags, goJson, type ImageName, parseImageName, TRANSPORTS } from "@boxship/images";
import { parseReference, repositoryName } from "@boxship/oci";
import { print } from "../context.ts";
import { parseFlags } from "../flags/parse-flags.ts";
import { registryOf } from "./copy.ts";
import { imageFlags } from "./flags.ts";
import type { SkopeoSession } from "./session.ts";
import { surroundings } from "./surroundings.ts";

export async function listTags(session: SkopeoSession, args: readonly string[]): Promise<void> {
  const { values: flags, operands } = parseFlags(imageFlags, args);
  const [text, ...others] = operands;
  if (text === undefined || others.length > 0) throw new InvalidArgument("Exactly one non-option argument expected");
  const name = parse(text);
  print(session.context, goJson(await tags(session, flags, name, text), "    "));
}

function parse(text: string): ImageName {
  const transport = /^([^:]*):/.exec(text)?.[1];
  const known = transport !== undefined && TRANSPORTS.includes(transport);
  if (!known) throw new InvalidArgument(`Invalid ${JSON.stringify(text)}: does not specify a transport`);
  return parseImageName(text);
}

async function tags(session: SkopeoSession, flags: typeof defaults, name: ImageName, text: string): Promise<unknown> {
  if (name.transport === "docker-archive") return { Tags: await dockerArchiveTags(name.path) };
  if (name.transport !== "docker") {
    throw new Unsupported(
      `Unsupported transport '${name.transport}' for tag listing. Only supported: docker, docker-archive`,
    );
  }
  const given = parseReference(text.slice("docker://".length));
  if (given.tag !== undefined || given.digest !== undefined) {
    throw new InvalidArgument("No tag or digest allowed in reference");
  }
  await using around = surroundings(session.context, flags, registryOf(name));
  return { Repository: repositoryName(given), Tags: await around.client.tags(given).catch(missing) };
}

function missing(error: unknown): never {
  if (!(error instanceof NotFound)) throw error;
  throw new NotFound(
    "Error listing repository tags: fetching tags list: invalid status code from registry 404 (Not Found)",
    { cause: error },
  );
}

const defaults = parseFlags(imageFlags, []).values;
