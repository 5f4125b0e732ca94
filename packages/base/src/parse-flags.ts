/** A command line that cannot be understood; the caller adds the usage. */
export class FlagError extends Error {}

/** `--help` was asked for. */
export class HelpRequested extends Error {}

/** What a parser knows of one flag. Flags are named by their key in a {@link ParsedSet}. */
export interface ParsedFlag<T> {
  readonly short?: string;
  readonly initial: T;
  /** The value of a flag without one (`--rm`); flags without it need a value. */
  readonly bare?: string;
  /**
   * @param before the flag's value so far, for flags that may be repeated
   * @throws FlagError
   */
  parse(text: string, before: T): T;
}

export type ParsedSet = Readonly<Record<string, ParsedFlag<unknown>>>;

/** Values of a set's flags, by name. */
export type FlagValues<S extends ParsedSet> = {
  readonly [K in keyof S]: S[K] extends ParsedFlag<infer T> ? T : never;
};

export interface ParsedFlags<S extends ParsedSet> {
  readonly values: FlagValues<S>;
  /** Names of the flags that were given. */
  readonly changed: ReadonlySet<string>;
  /** What is not a flag. */
  readonly operands: readonly string[];
}

export interface ParseFlagsOptions {
  /** Whether flags may follow operands; where not, everything from the first operand on is one. @default true */
  readonly interspersed?: boolean;
}

/**
 * Parses a command line as Docker's clients do: `--flag value`, `--flag=value`, `-f value`, `-fvalue`, `-f=value`,
 * `-it` for several short ones, booleans only with `=`, `--` before what looks like a flag and is none.
 *
 * @throws FlagError with the texts that users know
 * @throws HelpRequested for `--help`, and for `-h` where no flag has that letter
 */
export function parseFlags<const S extends ParsedSet>(
  set: S,
  args: readonly string[],
  options: ParseFlagsOptions = {},
): ParsedFlags<S> {
  const parser = new FlagParser(set, args);
  parser.run(options.interspersed ?? true);
  return { values: parser.values as FlagValues<S>, changed: parser.changed, operands: parser.operands };
}

class FlagParser {
  readonly values: Record<string, unknown> = {};
  readonly changed = new Set<string>();
  readonly operands: string[] = [];
  readonly #set: ParsedSet;
  readonly #rest: string[];
  readonly #shorts = new Map<string, string>();

  constructor(set: ParsedSet, args: readonly string[]) {
    this.#set = set;
    this.#rest = [...args];
    for (const [name, flag] of Object.entries(set)) {
      this.values[name] = flag.initial;
      if (flag.short !== undefined) this.#shorts.set(flag.short, name);
    }
  }

  run(interspersed: boolean): void {
    for (let next = this.#rest.shift(); next !== undefined; next = this.#rest.shift()) {
      if (next === "--") break;
      if (next.startsWith("--")) this.#long(next);
      else if (next.startsWith("-") && next !== "-") this.#short(next);
      else {
        this.operands.push(next);
        if (!interspersed) break;
      }
    }
    this.operands.push(...this.#rest);
  }

  #long(word: string): void {
    const at = word.indexOf("=");
    const name = word.slice(2, at < 0 ? undefined : at);
    if (name === "" || name.startsWith("-")) throw new FlagError(`bad flag syntax: ${word}`);
    const flag = Object.hasOwn(this.#set, name) ? this.#set[name] : undefined;
    if (flag === undefined) {
      if (name === "help") throw new HelpRequested();
      throw new FlagError(`unknown flag: --${name}`);
    }
    const value = at >= 0 ? word.slice(at + 1) : (flag.bare ?? this.#rest.shift());
    if (value === undefined) throw new FlagError(`flag needs an argument: --${name}`);
    this.#assign(name, flag, value);
  }

  #short(word: string): void {
    for (let letters = word.slice(1); letters !== ""; ) {
      const letter = letters.charAt(0);
      const after = letters.slice(1);
      const name = this.#shorts.get(letter);
      const flag = name === undefined ? undefined : this.#set[name];
      if (name === undefined || flag === undefined) {
        if (letter === "h") throw new HelpRequested();
        throw new FlagError(`unknown shorthand flag: '${letter}' in -${letters}`);
      }
      if (after.length > 1 && after.startsWith("=")) {
        this.#assign(name, flag, after.slice(1));
        return;
      }
      if (flag.bare !== undefined) {
        this.#assign(name, flag, flag.bare);
        letters = after;
        continue;
      }
      const value = after === "" ? this.#rest.shift() : after;
      if (value === undefined) throw new FlagError(`flag needs an argument: '${letter}' in -${letters}`);
      this.#assign(name, flag, value);
      return;
    }
  }

  #assign(name: string, flag: ParsedFlag<unknown>, value: string): void {
    try {
      this.values[name] = flag.parse(value, this.values[name]);
    } catch (error) {
      if (!(error instanceof FlagError)) throw error;
      const both = flag.short === undefined ? `--${name}` : `-${flag.short}, --${name}`;
      throw new FlagError(`invalid argument ${JSON.stringify(value)} for "${both}" flag: ${error.message}`, {
        cause: error,
      });
    }
    this.changed.add(name);
  }
}
