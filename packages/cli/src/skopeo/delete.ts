import { errorMessage, InvalidArgument } from "@boxship/base/errors";
import { deleteImage, type ImageName, parseImageName } from "@boxship/images";
import { parseFlags } from "../flags/parse-flags.ts";
import { registryOf, retrying } from "./copy.ts";
import { imageFlags, transferFlags } from "./flags.ts";
import type { SkopeoSession } from "./session.ts";
import { surroundings } from "./surroundings.ts";

const flagSet = { ...imageFlags, "retry-times": transferFlags["retry-times"] } as const;

export async function deleteCommand(session: SkopeoSession, args: readonly string[]): Promise<void> {
  const { values: flags, operands } = parseFlags(flagSet, args);
  const [text, ...others] = operands;
  if (text === undefined || others.length > 0) throw new InvalidArgument("Exactly one argument expected");
  const name = parse(text);
  await using around = surroundings(session.context, flags, registryOf(name));
  await retrying(flags["retry-times"], () => deleteImage(name, around));
}

function parse(text: string): ImageName {
  try {
    return parseImageName(text);
  } catch (error) {
    throw new InvalidArgument(`Invalid source name ${text}: ${errorMessage(error)}`, { cause: error });
  }
}
