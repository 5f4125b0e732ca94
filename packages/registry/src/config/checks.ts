import { InvalidArgument } from "@boxship/base";

/** A value of a configuration file, with its place for messages. */
export class Setting {
  readonly #value: unknown;
  readonly #at: string;
  readonly #file: string;

  constructor(value: unknown, at: string, file: string) {
    this.#value = value;
    this.#at = at;
    this.#file = file;
  }

  fail(expected: string): never {
    throw new InvalidArgument(`${this.#file}: ${this.#at} must be ${expected}`, {
      subject: { kind: "file", name: this.#file },
    });
  }

  /** The value, read by `read`, or undefined where there is none. */
  optional<T>(read: (setting: Setting) => T): T | undefined {
    return this.#value === undefined || this.#value === null ? undefined : read(this);
  }

  /** The fields of a map that has no others than these. */
  fields<K extends string>(...known: readonly K[]): Readonly<Record<K, Setting>> {
    const map = this.#map();
    for (const key of Object.keys(map)) {
      if (!(known as readonly string[]).includes(key)) {
        new Setting(undefined, this.#place(key), this.#file).fail(`left out: known are ${known.join(", ")}`);
      }
    }
    const entries = known.map((key) => [key, new Setting(map[key], this.#place(key), this.#file)] as const);
    return Object.fromEntries(entries) as Record<K, Setting>;
  }

  entries(): readonly (readonly [string, Setting])[] {
    return Object.entries(this.#map()).map(([key, value]) => [key, new Setting(value, this.#place(key), this.#file)]);
  }

  list<T>(read: (setting: Setting) => T): readonly T[] {
    if (!Array.isArray(this.#value)) return this.fail("a list");
    return this.#value.map((value: unknown, index) => read(new Setting(value, `${this.#at}[${index}]`, this.#file)));
  }

  text(): string {
    if (typeof this.#value !== "string" || this.#value === "") return this.fail("a text");
    return this.#value;
  }

  flag(): boolean {
    return typeof this.#value === "boolean" ? this.#value : this.fail("true or false");
  }

  count(): number {
    const value = this.#value;
    return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : this.fail("a whole number");
  }

  choice<T extends string>(...of: readonly T[]): T {
    return of.find((each) => each === this.#value) ?? this.fail(`one of ${of.join(", ")}`);
  }

  /** Bytes: a number, or one with a unit of 1000 (`kB`, `MB`, `GB`, `TB`) or 1024 (`KiB`, …). */
  size(): number {
    if (typeof this.#value === "number") return this.count();
    const match = /^(\d+(?:\.\d+)?) ?([kKMGT])?(i)?B?$/.exec(this.text());
    if (match === null) return this.fail("a size, such as 10GB");
    const power = match[2] === undefined ? 0 : "kmgt".indexOf(match[2].toLowerCase()) + 1;
    return Math.floor(Number(match[1]) * (match[3] === undefined ? 1000 : 1024) ** power);
  }

  /** Milliseconds: `90s`, `15m`, `12h`, `30d`. */
  duration(): number {
    const match = /^(\d+(?:\.\d+)?)(s|m|h|d)$/.exec(this.text());
    if (match === null) return this.fail("a time, such as 90s, 15m, 12h or 30d");
    const unit = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as "s" | "m" | "h" | "d"];
    return Number(match[1]) * unit;
  }

  #place(key: string): string {
    return this.#at === "the file" ? key : `${this.#at}.${key}`;
  }

  #map(): Readonly<Record<string, unknown>> {
    if (typeof this.#value !== "object" || this.#value === null || Array.isArray(this.#value))
      return this.fail("a map");
    return this.#value as Record<string, unknown>;
  }
}
