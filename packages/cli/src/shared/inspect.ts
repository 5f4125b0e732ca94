import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";
import { formatInspected, type Inspected } from "../format/inspect-writer.ts";
import { throwAll } from "./operate-on-each.ts";

/** Describes objects by name and prints them; those that are missing do not keep the others from being printed. */
export async function inspectAll(
  context: Context,
  names: readonly string[],
  format: string,
  find: (name: string) => Promise<Inspected>,
): Promise<void> {
  const found: Inspected[] = [];
  const failures: Failure[] = [];
  for (const name of names) {
    try {
      found.push(await find(name));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(error);
    }
  }
  const { output, errors } = formatInspected(found, format);
  context.stdout.write(output);
  throwAll([...failures, ...errors.filter((error): error is Failure => error instanceof Failure)]);
}

const encode = encodeURIComponent;

export const inspectors = {
  async container(context: Context, name: string, size = false): Promise<Inspected> {
    const path = `/containers/${encode(name)}/json`;
    return { type: "container.InspectResponse", json: await context.api.text("GET", path, { query: { size } }) };
  },
  async image(context: Context, name: string): Promise<Inspected> {
    // Slashes of an image's name are part of the path.
    const path = `/images/${name.split("/").map(encode).join("/")}/json`;
    return { type: "image.InspectResponse", json: await context.api.text("GET", path) };
  },
  async network(context: Context, name: string, verbose = false): Promise<Inspected> {
    const path = `/networks/${encode(name)}`;
    return { type: "network.Inspect", json: await context.api.text("GET", path, { query: { verbose } }) };
  },
  async volume(context: Context, name: string): Promise<Inspected> {
    return { type: "volume.Volume", json: await context.api.text("GET", `/volumes/${encode(name)}`) };
  },
};
