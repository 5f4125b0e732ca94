import { errorMessage } from "@boxship/base/errors";
import { ApiError } from "../api-client/api-error.ts";
import { type Command, defineCommand } from "../command.ts";
import { Failure, FlagError } from "../failure.ts";
import { custom, type Flag, type FlagSet } from "../flags/flag.ts";

/** Exit status of buildah's own failures. */
const FAILED = 125;

/** A command of buildah's: its flags stand before its operands, and what goes wrong is told in its words. */
export function defineBuildah<const S extends FlagSet>(command: Command<S>): Command<S> {
  return defineCommand<S>({
    // How many operands there are is its own business, too.
    operands: { min: 0, max: Number.POSITIVE_INFINITY },
    interspersed: false,
    ...command,
    run: async (context, invocation) => {
      try {
        for (const word of invocation.operands) refuseLateFlag(command, word);
        await command.run(context, invocation);
      } catch (error) {
        throw inItsWords(error);
      }
    },
  });
}

function refuseLateFlag(command: Command, word: string): void {
  if (!word.startsWith("--") || word === "--" || command.raw === true) return;
  const [name = ""] = word.slice(2).split("=", 1);
  if (!Object.hasOwn(command.flags, name)) return;
  throw new Failure(`no options (${word}) can be specified after the image or container name`);
}

/** `Error: …` and 125, as buildah ends. */
export function inItsWords(error: unknown): Failure {
  if (error instanceof FlagError) return new Failure(`Error: ${error.message}`, { status: FAILED, cause: error });
  if (!(error instanceof Failure)) {
    return new Failure(`Error: ${errorMessage(error)}`, { status: FAILED, cause: error });
  }
  if (error.message === "" || error.message.startsWith("Error: ")) return error;
  const message = error instanceof ApiError ? error.reason : error.message;
  const status = error.status === 1 ? FAILED : error.status;
  return new Failure(`Error: ${message}`, { status, remedy: error.remedy, cause: error });
}

/** Flags that buildah has and that are refused by name, each with what to do instead. */
export function refused<const Names extends Readonly<Record<string, string>>>(
  names: Names,
): { readonly [K in keyof Names]: Flag<string> } {
  const flags = Object.entries(names).map(([name, instead]) => {
    const flag = custom<string>(`Not supported: ${instead}`, {
      hint: "string",
      initial: "",
      hidden: true,
      parse: () => {
        throw new FlagError(`it is not supported: ${instead}`);
      },
    });
    return [name, flag];
  });
  return Object.fromEntries(flags) as { readonly [K in keyof Names]: Flag<string> };
}

/** Flags of one meaning only that are accepted because nothing would be different without them. */
export function withoutMeaning(flag: Flag<boolean>): Flag<boolean> {
  return { ...flag, hidden: true };
}

const TRANSPORTS = /^(containers-storage|docker-archive|docker-daemon|oci|oci-archive|dir|ostree|sif):/;

/**
 * An image as buildah's users name it: `docker://` in front, and `localhost/` for what has no registry, which is an
 * image without a registry here.
 */
export function imageName(text: string): string {
  const [, transport] = TRANSPORTS.exec(text) ?? [];
  if (transport === "containers-storage") return imageName(text.slice("containers-storage:".length));
  if (transport !== undefined) {
    throw new Failure(`${transport}: images of this kind are not supported`, {
      remedy: "load the archive first: boxship load --input FILE",
    });
  }
  return text.replace(/^docker:\/\//, "").replace(/^localhost\//, "");
}
