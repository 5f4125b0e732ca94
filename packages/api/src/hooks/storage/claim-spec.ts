import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { formatQuantity, parseQuantity } from "../../object/quantity.ts";
import type { Findings } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain } from "../../validation/names.ts";
import { checkPositiveQuantity } from "../../validation/resources.ts";
import { checkSelector } from "../../validation/selectors.ts";

export const ACCESS_MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
export const VOLUME_MODES = ["Block", "Filesystem"];
const ALONE = "ReadWriteOncePod";

/** What a volume or a claim says of who may use it. */
export function checkAccessModes(found: Findings, field: string, modes: readonly Json[]): void {
  for (const mode of modes) found.oneOf(field, mode, ACCESS_MODES);
  const known = modes.filter((mode) => ACCESS_MODES.includes(textAt(mode)));
  if (known.includes(ALONE) && known.some((mode) => mode !== ALONE))
    found.forbidden(field, `may not use ${ALONE} with other access modes`);
}

function checkSource(found: Findings, at: string, source: Json): void {
  const [name, kind, group] = [textAt(source, "name"), textAt(source, "kind"), textAt(source, "apiGroup")];
  if (name === "") found.required(`${at}.name`);
  if (kind === "") found.required(`${at}.kind`);
  if (group !== "") found.name(dnsSubdomain, `${at}.apiGroup`, group);
  else if (kind !== "PersistentVolumeClaim")
    found.invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
  const namespace = textAt(source, "namespace");
  if (namespace !== "") found.name(dnsLabel, `${at}.namespace`, namespace);
}

/** `core/v1.PersistentVolumeClaimSpec` */
export function checkClaimSpec(found: Findings, at: string, spec: Json | undefined): void {
  const modes = listAt(spec, "accessModes");
  if (modes.length === 0) found.required(`${at}.accessModes`, "at least 1 access mode is required");
  checkSelector(found, `${at}.selector`, valueAt(spec, "selector"));
  checkAccessModes(found, `${at}.accessModes`, modes);
  const size = valueAt(spec, "resources", "requests", "storage");
  if (size === undefined) found.required(`${at}.resources[storage]`);
  else checkPositiveQuantity(found, `${at}.resources[storage]`, size);
  const text = (field: string): string => textAt(spec, field);
  if (text("storageClassName") !== "") found.name(dnsSubdomain, `${at}.storageClassName`, text("storageClassName"));
  found.oneOf(`${at}.volumeMode`, valueAt(spec, "volumeMode"), VOLUME_MODES);
  const [source, reference] = [valueAt(spec, "dataSource"), valueAt(spec, "dataSourceRef")];
  if (isObject(source)) checkSource(found, `${at}.dataSource`, source);
  if (isObject(reference)) checkSource(found, `${at}.dataSourceRef`, reference);
  if (isObject(source) && isObject(reference)) {
    if (textAt(reference, "namespace") !== "")
      found.invalid(at, {}, "may not be specified when dataSourceRef.namespace is specified");
    else if (["apiGroup", "kind", "name"].some((field) => textAt(source, field) !== textAt(reference, field)))
      found.invalid(at, {}, "must match dataSourceRef");
  }
  const attributes = text("volumeAttributesClassName");
  if (attributes !== "") found.name(dnsSubdomain, `${at}.volumeAttributesClassName`, attributes);
}

/** Bytes are whole. @param at e.g. `spec` */
export const claimSpecWarnings = (at: string, spec: Json | undefined): readonly string[] =>
  ["requests", "limits"].flatMap((field) => {
    const amount = parseQuantity(textAt(spec, "resources", field, "storage"));
    return amount === undefined || amount.nano % 1_000_000_000n === 0n
      ? []
      : [
          `${at}.resources.${field}[storage]: fractional byte value ${JSON.stringify(formatQuantity(amount))} is invalid, must be an integer`,
        ];
  });
