import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain } from "../../validation/names.ts";
import { checkNodeSelector, oldLabelWarnings } from "../../validation/node-selectors.ts";
import { checkBasicAmount, checkPositiveQuantity, resourcesOf } from "../../validation/resources.ts";
import { differenceOf, sameMeaning } from "../../validation/same-meaning.ts";
import { checkNoBacksteps } from "../pods/paths.ts";
import {
  checkAzureDisk,
  checkFibreChannel,
  checkFlex,
  checkFlocker,
  checkHostPath,
  checkNfs,
  checkPersistentIscsi,
  checkQuobyte,
  checkSecretReference,
  REMOTE,
} from "../pods/volumes.ts";
import { checkAccessModes, VOLUME_MODES } from "./claim-spec.ts";
import { checkDriverName } from "./csi-objects.ts";

type Check = (found: Findings, at: string, source: Json) => void;

const SECRETS = [
  "controllerPublishSecretRef",
  "controllerExpandSecretRef",
  "nodePublishSecretRef",
  "nodeExpandSecretRef",
];

const checkCsi: Check = (found, at, source) => {
  checkDriverName(found, `${at}.driver`, textAt(source, "driver"));
  if (textAt(source, "volumeHandle") === "") found.required(`${at}.volumeHandle`);
  for (const field of SECRETS) {
    const reference = valueAt(source, field);
    if (!isObject(reference)) continue;
    found.requiredName(dnsSubdomain, `${at}.${field}.name`, textAt(reference, "name"));
    found.requiredName(dnsLabel, `${at}.${field}.namespace`, textAt(reference, "namespace"));
  }
};

const checkGluster: Check = (found, at, source) => {
  REMOTE.glusterfs(found, at, source);
  const namespace = valueAt(source, "endpointsNamespace");
  const field = `${at}.endpointsNamespace`;
  if (namespace === "")
    found.invalid(field, namespace, "if the endpointnamespace is set, it must be a valid namespace name");
  else if (typeof namespace === "string") found.name(dnsLabel, field, namespace);
};

const checkLocal: Check = (found, at, source) => {
  const path = textAt(source, "path");
  if (path === "") found.required(`${at}.path`);
  else checkNoBacksteps(found, `${at}.path`, path);
};

const checkAzureFile: Check = (found, at, source) => {
  REMOTE.azureFile(found, at, source);
  if (valueAt(source, "secretNamespace") === "") found.required(`${at}.secretNamespace`);
};

const withSecret =
  (check: Check): Check =>
  (found, at, source) => {
    check(found, at, source);
    checkSecretReference("name", "namespace")(found, at, source);
  };

/** In the order in which they are looked at. */
const TYPES: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["hostPath", checkHostPath],
  ["gcePersistentDisk", REMOTE.gcePersistentDisk],
  ["awsElasticBlockStore", REMOTE.awsElasticBlockStore],
  ["glusterfs", checkGluster],
  ["flocker", checkFlocker],
  ["nfs", checkNfs],
  ["rbd", REMOTE.rbd],
  ["quobyte", checkQuobyte],
  ["cephfs", REMOTE.cephfs],
  ["iscsi", checkPersistentIscsi],
  ["cinder", withSecret(REMOTE.cinder)],
  ["fc", checkFibreChannel],
  ["flexVolume", checkFlex],
  ["azureFile", checkAzureFile],
  ["vsphereVolume", REMOTE.vsphereVolume],
  ["photonPersistentDisk", REMOTE.photonPersistentDisk],
  ["portworxVolume", REMOTE.portworxVolume],
  ["azureDisk", checkAzureDisk],
  ["scaleIO", REMOTE.scaleIO],
  ["local", checkLocal],
  ["storageos", withSecret(REMOTE.storageos)],
  ["csi", checkCsi],
]);
/** Of two names, the one in a path where it is looked at. */
const SHOWN: Readonly<Record<string, string>> = { gcePersistentDisk: "persistentDisk" };

function checkSource(found: Findings, at: string, spec: Json | undefined, name: string): void {
  const given = [...TYPES].filter(([type]) => isObject(valueAt(spec, type)));
  for (const [index, [type, check]] of given.entries()) {
    if (index > 0 && type !== "flexVolume")
      found.forbidden(`${at}.${type === "cephfs" ? "cephFS" : type}`, "may not specify more than 1 volume type");
    else check(found, `${at}.${SHOWN[type] ?? type}`, valueAt(spec, type) as Json);
  }
  if (given.length === 0) found.required(at, "must specify a volume type");
  const portal = textAt(spec, "iscsi", "targetPortal");
  if (valueAt(spec, "iscsi", "initiatorName") !== undefined && `${name}:${portal}`.length > 64) {
    const why =
      "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
    found.invalid(`${at}.iscsi.targetportal`, portal, why);
  }
}

function checkCapacity(found: Findings, field: string, capacity: Json | undefined): void {
  const amounts = resourcesOf(capacity);
  if (amounts.length === 0) found.required(field);
  if (amounts.length !== 1 || amounts[0]?.[0] !== "storage") found.notSupported(field, capacity ?? null, ["storage"]);
  for (const [name, amount] of amounts) {
    checkBasicAmount(found, `${field}[${name}]`, amount);
    checkPositiveQuantity(found, `${field}[${name}]`, amount);
  }
}

/** What only a volume of its own says. */
const NOT_INLINE = ["claimRef", "capacity", "nodeAffinity", "storageClassName"];

function checkInline(found: Findings, at: string, spec: Json | undefined): void {
  const inline = "in the context of inline volumes";
  for (const field of NOT_INLINE) {
    const value = valueAt(spec, field) ?? null;
    const isEmpty = value === null || value === "" || (field === "capacity" && resourcesOf(value).length === 0);
    if (!isEmpty) found.forbidden(`${at}.${field}`, `may not be specified ${inline}`);
  }
  if (!isObject(valueAt(spec, "csi"))) found.required(`${at}.csi`, `has to be specified ${inline}`);
  const [policy, mode] = [textAt(spec, "persistentVolumeReclaimPolicy"), textAt(spec, "volumeMode")];
  if (policy !== "" && policy !== "Retain")
    found.forbidden(`${at}.persistentVolumeReclaimPolicy`, `may only be Retain ${inline}`);
  if (mode !== "" && mode !== "Filesystem")
    found.forbidden(`${at}.volumeMode`, `may not specify volumeMode other than Filesystem ${inline}`);
}

function checkOwn(found: Findings, at: string, spec: Json | undefined): void {
  checkCapacity(found, `${at}.capacity`, valueAt(spec, "capacity"));
  const policy = textAt(spec, "persistentVolumeReclaimPolicy");
  const field = `${at}.persistentVolumeReclaimPolicy`;
  if (policy !== "") found.oneOf(field, policy, ["Delete", "Recycle", "Retain"]);
  const required = valueAt(spec, "nodeAffinity", "required");
  if (isObject(valueAt(spec, "nodeAffinity"))) {
    if (isObject(required)) checkNodeSelector(found, `${at}.nodeAffinity.required`, required);
    else found.required(`${at}.nodeAffinity.required`, "must specify required node constraints");
  }
  if (isObject(valueAt(spec, "local")) && !isObject(valueAt(spec, "nodeAffinity")))
    found.required(`${at}.nodeAffinity`, "Local volume requires node affinity");
  if (policy === "Recycle" && /^\/+$/.test(textAt(spec, "hostPath", "path")))
    found.forbidden(field, "may not be 'recycle' for a hostPath mount of '/'");
  const name = textAt(spec, "storageClassName");
  if (name !== "") found.name(dnsSubdomain, `${at}.storageClassName`, name);
  found.oneOf(`${at}.volumeMode`, valueAt(spec, "volumeMode"), VOLUME_MODES);
}

/** `core/v1.PersistentVolumeSpec` @param name of the volume; undefined for one that is inline in another object */
export function checkVolumeSpec(found: Findings, at: string, spec: Json | undefined, name: string | undefined): void {
  const modes = listAt(spec, "accessModes");
  if (modes.length === 0) found.required(`${at}.accessModes`);
  checkAccessModes(found, `${at}.accessModes`, modes);
  checkSource(found, at, spec, name ?? "");
  if (name === undefined) checkInline(found, at, spec);
  else checkOwn(found, at, spec);
  const attributes = valueAt(spec, "volumeAttributesClassName");
  if (typeof attributes !== "string") return;
  if (attributes === "") found.required(`${at}.volumeAttributesClassName`, "an empty string is disallowed");
  else found.name(dnsSubdomain, `${at}.volumeAttributesClassName`, attributes);
  if (!isObject(valueAt(spec, "csi")))
    found.required(`${at}.csi`, "has to be specified when using volumeAttributesClassName");
}

function sourceOf(spec: Json | undefined, old: Json | undefined): JsonObject {
  const source: JsonObject = {};
  for (const type of TYPES.keys()) if (isObject(valueAt(spec, type))) source[type] = valueAt(spec, type) as Json;
  // A secret for growing may be named later.
  const csi = source["csi"];
  if (isObject(csi) && valueAt(old, "csi", "controllerExpandSecretRef") === undefined) {
    const { controllerExpandSecretRef: _, ...rest } = csi;
    source["csi"] = rest;
  }
  return source;
}

const NEW_LABELS: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": "kubernetes.io/arch",
  "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
  "beta.kubernetes.io/os": "kubernetes.io/os",
  "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
};

/** Requirements of nodes, by the new names of labels where the change names them so. */
function renewed(before: Json | undefined, now: Json | undefined): Json {
  if (Array.isArray(before))
    return before.map((item, index) => renewed(item, Array.isArray(now) ? now[index] : undefined));
  if (!isObject(before)) return before ?? null;
  return Object.fromEntries(
    Object.entries(before).map(([field, value]) => {
      const other = valueAt(now, field);
      const isNew = field === "key" && other !== undefined && NEW_LABELS[textAt(value)] === other;
      return [field, isNew ? other : renewed(value, other)];
    }),
  );
}

const ANNOTATIONS: Readonly<Record<string, string>> = {
  "volume.beta.kubernetes.io/storage-class": 'deprecated since v1.8; use "storageClassName" attribute instead',
  "volume.beta.kubernetes.io/mount-options": 'deprecated since v1.31; use "mountOptions" attribute instead',
};
const OLD_TYPES: readonly (readonly [type: string, shown: string, why: string])[] = [
  ["cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"],
  ["photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"],
  ["scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"],
  ["storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"],
  ["glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"],
  ["rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"],
];

function volumeWarnings({ metadata, spec }: KubeObject): readonly string[] {
  const terms = listAt(spec, "nodeAffinity", "required", "nodeSelectorTerms");
  return [
    ...Object.entries(ANNOTATIONS).flatMap(([key, why]) =>
      metadata.annotations?.[key] === undefined ? [] : [`metadata.annotations[${key}]: ${why}`],
    ),
    ...(textAt(spec, "persistentVolumeReclaimPolicy") === "Recycle"
      ? [
          "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
        ]
      : []),
    ...terms.flatMap((term, index) => oldLabelWarnings(`spec.nodeAffinity.required.nodeSelectorTerms[${index}]`, term)),
    ...OLD_TYPES.filter(([type]) => isObject(valueAt(spec, type))).map(([, shown, why]) => `spec.${shown}: ${why}`),
  ];
}

function checkChange(found: Findings, { spec }: KubeObject, { spec: before }: KubeObject): void {
  const [source, old] = [sourceOf(spec, before), sourceOf(before, before)];
  if (!sameMeaning(source, old)) {
    const why = `spec.persistentvolumesource is immutable after creation\n${differenceOf(old, source)}`;
    found.forbidden("spec.persistentvolumesource", why);
  }
  found.immutable("volumeMode", valueAt(spec, "volumeMode"), valueAt(before, "volumeMode"));
  const [places, known] = [valueAt(spec, "nodeAffinity"), valueAt(before, "nodeAffinity")];
  if (isObject(known) && !sameMeaning(places, renewed(known, places)))
    found.invalid("nodeAffinity", places, "field is immutable, except for updating from beta label to GA");
  const field = "volumeAttributesClassName";
  if (typeof valueAt(before, field) === "string" && typeof valueAt(spec, field) !== "string")
    found.forbidden(`spec.${field}`, "update from non-nil value to nil is forbidden");
}

/** `core/v1.PersistentVolume` */
export const persistentVolume: KindHooks = {
  validatesAll: true,
  prepareCreate(object) {
    object["status"] = { phase: "Pending" };
  },
  validate: (object, old) =>
    findingsOf((found) => {
      checkVolumeSpec(found, "spec", object["spec"], object.metadata.name ?? "");
      if (old !== undefined) checkChange(found, object, old);
    }),
  warnings: volumeWarnings,
};

/** Bytes of what an attached volume is known by, and of what went wrong. */
const MOST = { metadata: 256 * 1024, message: 1024 } as const;

function checkAttachment(found: Findings, spec: Json | undefined): void {
  checkDriverName(found, "spec.attacher", textAt(spec, "attacher"));
  const [name, inline] = [valueAt(spec, "source", "persistentVolumeName"), valueAt(spec, "source", "inlineVolumeSpec")];
  const one = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
  const field = "spec.source.persistentVolumeName";
  if (typeof name !== "string" && !isObject(inline)) found.required("spec.source", one);
  else if (typeof name === "string" && isObject(inline)) found.forbidden("spec.source", one);
  else if (name === "") found.required(field, "must specify non empty persistentVolumeName");
  else if (isObject(inline)) checkVolumeSpec(found, "spec.source.inlineVolumeSpec", inline, undefined);
  found.name(dnsSubdomain, "spec.nodeName", textAt(spec, "nodeName"));
  if (typeof name === "string") found.name(dnsSubdomain, field, name);
}

function checkAttachmentStatus(found: Findings, status: Json | undefined): void {
  const metadata = valueAt(status, "attachmentMetadata");
  let size = 0;
  for (const [key, value] of Object.entries(isObject(metadata) ? metadata : {}))
    size += Buffer.byteLength(key) + Buffer.byteLength(textAt(value));
  if (size > MOST.metadata) found.tooLong("status.attachmentMetadata", MOST.metadata);
  for (const field of ["attachError", "detachError"]) {
    const error = valueAt(status, field);
    if (Buffer.byteLength(textAt(error, "message")) > MOST.message)
      found.tooLong(`status.${field}.message`, MOST.metadata);
    const code = valueAt(error, "errorCode");
    if (typeof code === "number") found.between(`status.${field}.errorCode`, code, 0, 2 ** 31 - 1);
  }
}

/** `storage/v1.VolumeAttachment` */
export const volumeAttachment: KindHooks = {
  validatesAll: true,
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      checkAttachment(found, spec);
      if (old !== undefined) found.immutable("spec", spec, old["spec"]);
    }),
  validateStatus: ({ status }) => findingsOf((found) => checkAttachmentStatus(found, status)),
};
