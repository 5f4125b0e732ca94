import { failure } from "@boxship/api";

/** How a client wants its answer. */
export interface Accept {
  /** The form of objects: as they are, as tables, or their metadata alone. */
  readonly form: "object" | "table" | "metadata";
  readonly encoding: "json" | "yaml" | "protobuf";
  /** Parameters of the chosen type, e.g. `g`, `v` and `as` of discovery documents. */
  readonly parameters: ReadonlyMap<string, string>;
}

interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

const JSON_TYPES = new Set(["application/json", "application/*", "*/*"]);
export const PROTOBUF = "application/vnd.kubernetes.protobuf";
const OFFERED = ["application/json", "application/yaml"];

export interface Offer {
  /** Whether a form that parameters ask for (`as=Table;g=meta.k8s.io;v=v1`) is to be had here. */
  readonly isForm?: (as: string, parameters: ReadonlyMap<string, string>) => boolean;
  /** What can be had as protobuf: of custom kinds the metadata alone, and tables never. @default nothing */
  readonly protobuf?: "objects" | "metadata";
}

/**
 * The first form of an Accept header that we speak. JSON stands for every type that is not named; CBOR is not offered.
 *
 * @throws NotAcceptable
 */
export function negotiate(header: string | undefined, { isForm = isObjectForm, protobuf }: Offer = {}): Accept {
  if (header === undefined || PLAIN.has(header)) return AS_IT_IS;
  if (header.trim() === "") return AS_IT_IS;
  const types = header.split(",").map(parseMediaType);
  types.sort((a, b) => b.quality - a.quality);
  for (const { type, parameters } of types) {
    const encoding = encodingOf(type);
    if (encoding === undefined || (encoding === "protobuf" && protobuf === undefined)) continue;
    const as = parameters.get("as");
    if (as !== undefined && !isForm(as, parameters)) continue;
    const form = as === "Table" ? "table" : as?.startsWith("PartialObject") ? "metadata" : "object";
    if (encoding === "protobuf" && (form === "table" || (form === "object" && protobuf !== "objects"))) continue;
    return { form, encoding, parameters };
  }
  const offered = protobuf === undefined ? OFFERED : [...OFFERED, PROTOBUF];
  throw failure("NotAcceptable", `only the following media types are accepted: ${offered.join(", ")}`);
}

/** What most clients ask for. */
const PLAIN = new Set(["", "*/*", "application/json"]);
const AS_IT_IS: Accept = { form: "object", encoding: "json", parameters: new Map<string, string>() };

function encodingOf(type: string): Accept["encoding"] | undefined {
  if (type === PROTOBUF) return "protobuf";
  if (type === "application/yaml") return "yaml";
  return JSON_TYPES.has(type) ? "json" : undefined;
}

function isObjectForm(as: string, parameters: ReadonlyMap<string, string>): boolean {
  if (parameters.get("g") !== "meta.k8s.io" || parameters.get("v") !== "v1") return false;
  return as === "Table" || as === "PartialObjectMetadata" || as === "PartialObjectMetadataList";
}

function parseMediaType(text: string): MediaType {
  const [type = "", ...rest] = text.split(";").map((part) => part.trim());
  const parameters = new Map(
    rest.map((part) => {
      const [name = "", value = ""] = part.split("=", 2);
      return [name, value] as const;
    }),
  );
  const quality = Number(parameters.get("q") ?? 1);
  return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 0 : quality };
}
