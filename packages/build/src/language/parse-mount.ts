import type { RunMount } from "./instruction.ts";
import { closest, type Place, refuse } from "./source.ts";

const TYPES = ["bind", "cache", "tmpfs", "secret", "ssh"] as const;
type MountType = (typeof TYPES)[number];

/** The options of each type, under their first name. */
export const MOUNT_OPTIONS: Readonly<Record<MountType, readonly string[]>> = {
  bind: ["target", "source", "from", "readonly", "readwrite"],
  cache: ["id", "target", "source", "from", "readonly", "readwrite", "sharing", "mode", "uid", "gid"],
  tmpfs: ["target", "size"],
  secret: ["id", "target", "env", "required", "mode", "uid", "gid"],
  ssh: ["id", "target", "required", "mode", "uid", "gid"],
};

const ALIASES: Readonly<Record<string, string>> = {
  dst: "target",
  destination: "target",
  src: "source",
  ro: "readonly",
  rw: "readwrite",
};
const FLAGS = new Set(["readonly", "readwrite", "required"]);

/**
 * Reads the value of `RUN --mount=`. Variables in it are replaced already.
 *
 * @throws ContainerfileError for an unknown type or option, or a value that it cannot have
 */
export function parseMount(text: string, place: Place): RunMount {
  const given = fieldsOf(text, place);
  const type = typeOf(given.get("type") ?? "bind", place);
  given.delete("type");
  for (const name of given.keys()) checkOption(type, name, place);
  const mount: RunMount = {
    type,
    readOnly: readOnlyOf(type, given, place),
    required: isTrue(given, "required", place) ?? false,
    ...text_(given, "target"),
    ...text_(given, "source"),
    ...text_(given, "from"),
    ...text_(given, "id"),
    ...text_(given, "env"),
    ...idOf(given, "uid", place),
    ...idOf(given, "gid", place),
    ...sharingOf(given, place),
    ...modeOf(given, place),
    ...sizeOf(given, place),
  };
  checkTarget(mount, place);
  return mount;
}

function fieldsOf(text: string, place: Place): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of csv(text, place)) {
    const equals = field.indexOf("=");
    const written = (equals === -1 ? field : field.slice(0, equals)).trim().toLowerCase();
    const name = ALIASES[written] ?? written;
    if (equals === -1 && !FLAGS.has(name)) {
      refuse(place, `invalid field '${field}' must be a key=value pair`, "write --mount=type=…,target=…");
    }
    fields.set(name, equals === -1 ? "true" : field.slice(equals + 1));
  }
  return fields;
}

/** Commas part fields; in double quotes they do not. */
function csv(text: string, place: Place): readonly string[] {
  const fields: string[] = [];
  let field = "";
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    else if (character === "," && !quoted) {
      fields.push(field);
      field = "";
    } else field += character;
  }
  if (quoted) refuse(place, `invalid mount '${text}': a double quote is not closed`, "close it");
  return [...fields, field];
}

function typeOf(text: string, place: Place): MountType {
  const type = TYPES.find((known) => known === text);
  if (type !== undefined) return type;
  const meant = closest(text, TYPES);
  return refuse(
    place,
    `unsupported mount type "${text}"`,
    meant === undefined ? `use one of ${TYPES.join(", ")}` : `did you mean ${meant}?`,
  );
}

function checkOption(type: MountType, name: string, place: Place): void {
  if (MOUNT_OPTIONS[type].includes(name)) return;
  if (Object.values(MOUNT_OPTIONS).some((options) => options.includes(name))) {
    refuse(
      place,
      `unexpected key '${name}' for mount type '${type}'`,
      `${type} takes ${MOUNT_OPTIONS[type].join(", ")}`,
    );
  }
  const meant = closest(name, MOUNT_OPTIONS[type]);
  refuse(
    place,
    `unexpected key '${name}' in '${name}'`,
    meant === undefined ? `${type} takes ${MOUNT_OPTIONS[type].join(", ")}` : `did you mean ${meant}?`,
  );
}

function text_<Name extends string>(
  fields: ReadonlyMap<string, string>,
  name: Name,
): { readonly [K in Name]?: string } {
  const value = fields.get(name);
  return value === undefined ? {} : ({ [name]: value } as { readonly [K in Name]?: string });
}

/** A user or group is a number: a name would mean somebody else with each base. */
function idOf<Name extends "uid" | "gid">(
  fields: ReadonlyMap<string, string>,
  name: Name,
  place: Place,
): { readonly [K in Name]?: string } {
  const value = fields.get(name);
  if (value !== undefined && !(/^\d{1,10}$/.test(value) && Number(value) < 2 ** 32))
    refuse(place, `invalid value ${value} for ${name}`, `write a number: ${name}=1000`);
  return text_(fields, name);
}

function isTrue(fields: ReadonlyMap<string, string>, name: string, place: Place): boolean | undefined {
  const value = fields.get(name)?.toLowerCase();
  if (value === undefined) return undefined;
  if (["true", "1", "t"].includes(value)) return true;
  if (["false", "0", "f"].includes(value)) return false;
  return refuse(place, `invalid value for ${name}: ${value}`, `write ${name} or ${name}=false`);
}

/** Bind mounts are read-only unless they are said to be writable; what is written there is thrown away. */
function readOnlyOf(type: MountType, fields: ReadonlyMap<string, string>, place: Place): boolean {
  const readOnly = isTrue(fields, "readonly", place);
  const readWrite = isTrue(fields, "readwrite", place);
  return readOnly ?? (readWrite === undefined ? type === "bind" : !readWrite);
}

function sharingOf(fields: ReadonlyMap<string, string>, place: Place): Pick<RunMount, "sharing"> {
  const sharing = fields.get("sharing");
  if (sharing === undefined) return {};
  if (sharing === "shared" || sharing === "private" || sharing === "locked") return { sharing };
  return refuse(place, `unsupported sharing value "${sharing}"`, "use shared, private or locked");
}

function modeOf(fields: ReadonlyMap<string, string>, place: Place): Pick<RunMount, "mode"> {
  const mode = fields.get("mode");
  if (mode === undefined) return {};
  if (!/^[0-7]{1,5}$/.test(mode)) refuse(place, `invalid value ${mode} for mode`, "write octal digits: mode=0400");
  return { mode: Number.parseInt(mode, 8) };
}

const SIZE_UNITS: Readonly<Record<string, number>> = { "": 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

function sizeOf(fields: ReadonlyMap<string, string>, place: Place): Pick<RunMount, "size"> {
  const text = fields.get("size");
  if (text === undefined) return {};
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text);
  if (match === null)
    refuse(place, `invalid value for size: ${text}`, "write a number of bytes, or one with k, m or g");
  return { size: Math.round(Number(match[1]) * (SIZE_UNITS[(match[2] ?? "").toLowerCase()] ?? 1)) };
}

function checkTarget(mount: RunMount, place: Place): void {
  const needsTarget = mount.type === "bind" || mount.type === "cache" || mount.type === "tmpfs";
  if (needsTarget && (mount.target === undefined || mount.target === "")) {
    refuse(place, "target is required", `add target=PATH to the ${mount.type} mount`);
  }
  if (mount.type === "secret" && mount.id === undefined && mount.target === undefined && mount.env === undefined) {
    refuse(place, "invalid secret mount: one of id, target or env is required", "add id=NAME");
  }
}
