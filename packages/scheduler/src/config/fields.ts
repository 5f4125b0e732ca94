import { isObject, type Json, type JsonObject } from "@boxship/api";
import { InvalidArgument, Unsupported } from "@boxship/base";

/** An object of a configuration file, with the path by which messages name it. */
export class Fields {
  readonly at: string;
  readonly #object: JsonObject;

  /** @throws InvalidArgument for what is no object, Unsupported for fields that are not known here */
  constructor(value: Json | undefined, at: string, known: readonly string[]) {
    this.at = at;
    if (value !== undefined && !isObject(value)) throw new InvalidArgument(`${at || "the configuration"} is no object`);
    this.#object = value ?? {};
    const unknown = Object.keys(this.#object).find((name) => !known.includes(name));
    if (unknown !== undefined) {
      throw new Unsupported(`${this.path(unknown)} is not supported in a scheduler's configuration`, {
        remedy: `known are ${known.join(", ")}`,
      });
    }
  }

  path(name: string): string {
    return this.at === "" ? name : `${this.at}.${name}`;
  }

  get(name: string): Json | undefined {
    return this.#object[name] ?? undefined;
  }

  text(name: string): string | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === "string") return value;
    throw new InvalidArgument(`${this.path(name)} is no text`);
  }

  /** A number within bounds, whole unless said otherwise. */
  number(name: string, least: number, most: number, isWhole = true): number | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || (isWhole && !Number.isInteger(value)) || value < least || value > most) {
      throw new InvalidArgument(`${this.path(name)}: ${JSON.stringify(value)} is no number from ${least} to ${most}`);
    }
    return value;
  }

  flag(name: string): boolean | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === "boolean") return value;
    throw new InvalidArgument(`${this.path(name)} is neither true nor false`);
  }

  list(name: string): readonly { readonly value: Json; readonly at: string }[] {
    const value = this.get(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw new InvalidArgument(`${this.path(name)} is no list`);
    return value.map((one, index) => ({ value: one, at: `${this.path(name)}[${index}]` }));
  }

  texts(name: string): readonly string[] {
    return this.list(name).map(({ value, at }) => {
      if (typeof value !== "string") throw new InvalidArgument(`${at} is no text`);
      return value;
    });
  }

  oneOf<const Name extends string>(name: string, allowed: readonly Name[]): Name | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = allowed.find((one) => one === value);
    if (found === undefined) {
      throw new InvalidArgument(`${this.path(name)}: ${JSON.stringify(value)} is none of ${allowed.join(", ")}`);
    }
    return found;
  }

  /** An object below. */
  below(name: string, known: readonly string[]): Fields {
    return new Fields(this.get(name), this.path(name), known);
  }
}
