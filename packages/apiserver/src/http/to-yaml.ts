import { dump } from "js-yaml";

/** A JSON body as YAML. */
export function toYaml(parts: readonly Uint8Array[]): Buffer {
  return Buffer.from(
    dump(JSON.parse(Buffer.concat(parts).toString("utf8")), { lineWidth: -1, noRefs: true, sortKeys: true }),
  );
}
