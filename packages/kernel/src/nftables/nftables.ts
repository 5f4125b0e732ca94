import { toString as readText } from "node:ffi";
import { errorMessage, Internal, InvalidArgument, Unavailable } from "@boxship/base";
import { cString, NativeLibrary, type Pointer } from "../ffi.ts";

const library = new NativeLibrary("libnftables.so.1");
const contextNew = library.bind<Pointer>("nft_ctx_new", ["pointer", "u32"]);
const contextFree = library.bind<void>("nft_ctx_free", ["void", "pointer"]);
const bufferOutput = library.bind<number>("nft_ctx_buffer_output", ["i32", "pointer"]);
const bufferError = library.bind<number>("nft_ctx_buffer_error", ["i32", "pointer"]);
const outputBuffer = library.bind<Pointer>("nft_ctx_get_output_buffer", ["pointer", "pointer"]);
const errorBuffer = library.bind<Pointer>("nft_ctx_get_error_buffer", ["pointer", "pointer"]);
const setOutputFlags = library.bind<void>("nft_ctx_output_set_flags", ["void", "pointer", "u32"]);
const runFromBuffer = library.bind<number>("nft_run_cmd_from_buffer", ["i32", "pointer", "pointer"]);

const OUTPUT_JSON = 1 << 4;
/** Numbers for protocols, priorities and other symbols, so that reading back needs no tables. */
const OUTPUT_NUMERIC = (1 << 7) | (1 << 8) | (1 << 9);

/**
 * nftables refused a transaction; nothing of it was applied. `output` is the library's whole explanation, which quotes
 * the command and marks the place.
 */
export class NftablesError extends InvalidArgument {
  readonly output: string;

  constructor(output: string) {
    const first = output.split("\n").find((line) => line.includes("Error:")) ?? output.trim();
    super(`nftables refused the change: ${first.replace(/^.*?Error:\s*/, "")}`);
    this.output = output;
  }
}

/**
 * A context of libnftables (libnftables(3)). It speaks to the network namespace its thread was in when it was made, and
 * stays with it.
 *
 * Whoever opens it disposes it.
 */
export class Nftables implements Disposable {
  #context: Pointer;

  /** Throws {@link Unavailable} when the library is not installed. */
  constructor() {
    try {
      library.open();
    } catch (error) {
      throw new Unavailable(`the library libnftables.so.1 cannot be loaded: ${errorMessage(error)}`, {
        cause: error,
        remedy: "install the system package libnftables1",
      });
    }
    this.#context = contextNew(0);
    if (this.#context === 0n) throw new Internal("libnftables gave no context");
    if (bufferOutput(this.#context) !== 0 || bufferError(this.#context) !== 0) {
      this[Symbol.dispose]();
      throw new Internal("libnftables cannot buffer its output");
    }
  }

  /**
   * Runs commands in the language of nft(8), one to a line, as one transaction: all of them or none. Returns what they
   * print. Throws {@link NftablesError}.
   */
  run(commands: string): string {
    setOutputFlags(this.#open(), OUTPUT_NUMERIC);
    return this.#run(commands);
  }

  /**
   * Runs a `list` command and returns the objects of its answer as libnftables-json(5) describes them, such as
   * `{ chain: { family: "inet", table: "filter", name: "forward", … } }`; the meta line is left out.
   */
  list(command: string): NftablesObject[] {
    setOutputFlags(this.#open(), OUTPUT_JSON | OUTPUT_NUMERIC);
    const answer: unknown = JSON.parse(this.#run(command));
    if (typeof answer !== "object" || answer === null || !("nftables" in answer) || !Array.isArray(answer.nftables)) {
      throw new Internal(`libnftables answered ${command} with something that is no list`);
    }
    return (answer.nftables as NftablesObject[]).filter((object) => !("metainfo" in object));
  }

  [Symbol.dispose](): void {
    if (this.#context === 0n) return;
    contextFree(this.#context);
    this.#context = 0n;
  }

  #run(commands: string): string {
    const status = runFromBuffer(this.#context, cString(commands));
    const output = readText(outputBuffer(this.#context)) ?? "";
    const error = readText(errorBuffer(this.#context)) ?? "";
    if (status !== 0) throw new NftablesError(error);
    return output;
  }

  #open(): Pointer {
    if (this.#context === 0n) throw new Internal("the nftables context is closed");
    return this.#context;
  }
}

/** One object of a listing: its kind is the only key. */
export type NftablesObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
