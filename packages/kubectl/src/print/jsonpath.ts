import type { Json } from "@boxship/api";
import { type JsonPathOptions, JsonPathTemplate as Template } from "@boxship/api";
import { InvalidArgument } from "@boxship/base";
import { Refusal } from "../failure.ts";

/** kubectl's template of paths, which refuses as commands do. */
export class JsonPathTemplate {
  readonly #template: Template;

  /** @throws Refusal */
  constructor(text: string, options: JsonPathOptions = {}) {
    this.#template = refusing(() => new Template(text, options));
  }

  /** What each part of the template leads to. @throws Refusal */
  find(value: Json): readonly (readonly Json[])[] {
    return refusing(() => this.#template.find(value));
  }

  /** @throws Refusal */
  print(value: Json): string {
    return refusing(() => this.#template.print(value));
  }
}

function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof InvalidArgument ? new Refusal(error.message) : error;
  }
}

/** `.metadata.name`, `{.metadata.name}` and `metadata.name` are one and the same. */
export function relaxedPath(text: string): string {
  if (text === "") return text;
  const inner = /^\{\.?([^{}]+)\}$|^\.?([^{}]+)$/.exec(text);
  const path = inner?.[1] ?? inner?.[2];
  if (path !== undefined) return `{.${path}}`;
  throw new Refusal(
    `unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'`,
  );
}
