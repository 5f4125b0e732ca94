import { isObject, type Json, textAt, timestamp } from "@boxship/api";
import { alignTabs } from "@boxship/base";
import { LAST_APPLIED } from "../apply-annotation.ts";

/** Lines with tabs between their cells, which become columns in the end. */
export class Lines {
  #text = "";
  readonly #done: string[] = [];

  /** @param level two spaces each */
  add(level: number, text: string): void {
    this.#text += `${"  ".repeat(level)}${text}\n`;
  }

  raw(text: string): void {
    this.#text += text;
  }

  /** What follows has columns of its own. */
  flush(): void {
    this.#done.push(this.#text);
    this.#text = "";
  }

  /** With its tabs, as it is shown where nothing becomes columns. */
  get plainText(): string {
    return [...this.#done, this.#text].join("");
  }

  get text(): string {
    return [...this.#done, this.#text].map((part) => alignTabs(part, { minWidth: 0, padding: 2 })).join("");
  }

  /** `Labels:`, one a line. */
  labels(title: string, labels: Json | undefined, indent = "", inner = "\t"): void {
    const pairs = Object.entries(isObject(labels) ? labels : {}).map(([key, value]) => `${key}=${textAt(value)}`);
    if (pairs.length === 0) pairs.push("<none>");
    pairs
      .sort()
      .forEach((pair, index) =>
        this.raw(`${index === 0 ? `${indent}${title}:${inner}` : `${indent}${inner}`}${pair}\n`),
      );
  }

  annotations(title: string, annotations: Json | undefined, indent = ""): void {
    const all = Object.entries(isObject(annotations) ? annotations : {}).filter(([key]) => key !== LAST_APPLIED);
    if (all.length === 0) return this.raw(`${indent}${title}:\t<none>\n`);
    all
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .forEach(([key, json], index) => {
        const value = textAt(json);
        this.raw(index === 0 ? `${indent}${title}:\t` : `${indent}\t`);
        if (key.length + value.length < 140 && !value.includes("\n")) return this.raw(`${key}: ${value}\n`);
        this.raw(`${key}:\n`);
        for (const line of value.trim().split("\n")) this.raw(`${indent}\t  ${shortened(line)}\n`);
      });
  }
}

const shortened = (line: string): string => (line.length > 138 ? `${line.slice(0, 138)}...` : line);

/** `Sat, 21 Nov 2026 13:52:20 +0000` */
export function longTime(time: string): string {
  if (time === "") return "<unknown>";
  const text = new Date(time).toUTCString();
  return `${text.replace(" GMT", "")} +0000`;
}

export const orNone = (text: string, none = "<none>"): string => (text === "" ? none : text);

/** `a=b,c=d` of a map. */
export function mapText(map: Json | undefined): string {
  const pairs = Object.entries(isObject(map) ? map : {}).map(([key, value]) => `${key}=${textAt(value)}`);
  return pairs.sort().join(",");
}

export const yesNo = (value: Json | undefined): string => (value === true ? "True" : "False");

export const now = (): string => timestamp(Date.now());
