import { ApiError } from "../api-client/api-error.ts";
import { defineCommand } from "../command.ts";
import { type Context, warn } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import type { Inspected } from "../format/inspect-writer.ts";
import { inspectAll, inspectors } from "../shared/inspect.ts";
import { inspectFormatFlag } from "../shared/list-defaults.ts";

const TYPES = ["container", "image", "network", "volume"] as const;
type ObjectType = (typeof TYPES)[number];

const isType = (name: string): name is ObjectType => (TYPES as readonly string[]).includes(name);

export const command = defineCommand({
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  summary: "Return low-level information on container engine objects",
  flags: {
    format: inspectFormatFlag,
    size: bool("Display total file sizes if the type is container", { short: "s" }),
    type: text("Only inspect objects of the given type", { choices: TYPES }),
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "container",
  async run(context, { flags, changed, operands }) {
    const { type, size } = flags;
    const choices = `must be one of "${TYPES.join('", "')}"`;
    if (changed.has("type") && type === "") throw new Failure(`type is empty: ${choices}`);
    if (type !== "" && !isType(type)) throw new Failure(`unknown type: ${JSON.stringify(type)}: ${choices}`);
    const types = type === "" ? TYPES : [type];
    await inspectAll(context, operands, flags.format, (name) => inspectAny(context, { name, types, size }));
  },
});

interface Search {
  readonly name: string;
  /** Only one: nothing else is tried, and what the engine says of it counts. */
  readonly types: readonly ObjectType[];
  readonly size: boolean;
}

async function inspectAny(context: Context, { name, types, size }: Search): Promise<Inspected> {
  for (const type of types) {
    try {
      const found = await inspectors[type](context, name, type === "container" && size);
      if (size && type !== "container") warn(context, `WARNING: --size ignored for ${type}`);
      return found;
    } catch (error) {
      if (types.length === 1 || !isSkippable(error)) throw error;
    }
  }
  throw new Failure(`Error: No such object: ${name}`);
}

/** No object of that type has the name, or none can have it. */
function isSkippable(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return error.httpStatus === 404 || /not supported|invalid reference format/.test(error.message);
}
