import { failure } from "@boxship/api";

/** How a client wants its answer. */
export interface Accept {
  /** The form of objects: as they are, as tables, or their metadata alone. */
  readonly form: "object" | "table" | "metadata";
  readonly yaml: boolean;
  /** Parameters of the chosen type, e.g. `g`, `v` and `as` of discovery documents. */
  readonly parameters: ReadonlyMap<string, string>;
}

interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

const JSON_TYPES = new Set(["application/json", "application/*", "*/*"]);
const OFFERED = ["application/json", "application/yaml"];

/**
 * The first form of an Accept header that we speak. JSON stands for every type that is not named; protobuf and CBOR are
 * not offered, and clients that list them list JSON after them.
 *
 * @param isForm whether a form that parameters ask for (`as=Table;g=meta.k8s.io;v=v1`) is to be had here
 * @throws NotAcceptable
 */
export function negotiate(header: string | undefined, isForm = isObjectForm): Accept {
  if (header === undefined || header.trim() === "") return { form: "object", yaml: false, parameters: new Map() };
  const types = header.split(",").map(parseMediaType);
  types.sort((a, b) => b.quality - a.quality);
  for (const { type, parameters } of types) {
    const yaml = type === "application/yaml";
    if (!yaml && !JSON_TYPES.has(type)) continue;
    const as = parameters.get("as");
    if (as !== undefined && !isForm(as, parameters)) continue;
    return {
      form: as === "Table" ? "table" : as?.startsWith("PartialObject") ? "metadata" : "object",
      yaml,
      parameters,
    };
  }
  throw failure("NotAcceptable", `only the following media types are accepted: ${OFFERED.join(", ")}`);
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
