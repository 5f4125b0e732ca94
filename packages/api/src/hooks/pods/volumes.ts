import { isObject, type Json, type JsonObject } from "../../object/json.ts";
import { listAt, type ObjectMeta, textAt, valueAt } from "../../object/kube-object.ts";
import { parseQuantity } from "../../object/quantity.ts";
import { Findings } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain } from "../../validation/names.ts";
import { validateAnnotations } from "../../validation/validate-metadata.ts";
import { checkClaimSpec } from "../storage/claim-spec.ts";
import { checkDriverName } from "../storage/csi-objects.ts";
import { checkDownwardFile } from "./downward.ts";
import { checkDescending, checkMode, checkNoBacksteps } from "./paths.ts";
import { checkItem, checkProjected } from "./projected.ts";

export interface VolumeContext {
  /** Of the pod itself; undefined for a template, which has no name yet. */
  readonly metadata?: ObjectMeta;
}

type Check = (found: Findings, at: string, source: Json) => void;

/** Fields that must not be empty. */
const needs =
  (...fields: readonly string[]): Check =>
  (found, at, source) => {
    for (const field of fields) {
      const value = valueAt(source, field);
      if (Array.isArray(value) ? value.length === 0 : textAt(value) === "") found.required(`${at}.${field}`);
    }
  };

const both =
  (...checks: readonly Check[]): Check =>
  (found, at, source) => {
    for (const check of checks) check(found, at, source);
  };

/** A reference to a secret that must have a name, and where there are namespaces, one of them. */
export const checkSecretReference =
  (...fields: readonly string[]): Check =>
  (found, at, source) => {
    const reference = valueAt(source, "secretRef");
    if (isObject(reference)) needs(...fields)(found, `${at}.secretRef`, reference);
  };

const partition: Check = (found, at, source) => {
  const number = Number(valueAt(source, "partition") ?? 0);
  if (number < 0 || number > 255) found.invalid(`${at}.partition`, number, "must be between 1 and 255, inclusive");
};

const HOST_TYPES = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];

export const checkHostPath: Check = (found, at, source) => {
  const path = textAt(source, "path");
  if (path === "") {
    found.required(`${at}.path`);
    return;
  }
  checkNoBacksteps(found, `${at}.path`, path);
  found.oneOf(`${at}.type`, valueAt(source, "type"), HOST_TYPES);
};

export const checkNfs: Check = (found, at, source) => {
  needs("server", "path")(found, at, source);
  const path = textAt(source, "path");
  if (!path.startsWith("/")) found.invalid(`${at}.path`, path, "must be an absolute path");
};

const INITIATORS: readonly (readonly [prefix: string, form: RegExp])[] = [
  ["iqn", /iqn\.\d{4}-\d{2}\.([A-Za-z0-9-.]+)(:[^,;*&$|\s]+)$/],
  ["eui", /^eui.[A-Za-z0-9]{16}$/],
  ["naa", /^naa.[A-Za-z0-9]{32}$/],
];

function checkInitiator(found: Findings, field: string, name: string, beginning: string): void {
  const known = INITIATORS.find(([prefix]) => name.startsWith(prefix));
  if (known === undefined) found.invalid(field, name, `must be valid format${beginning}`);
  else if (!known[1].test(name)) found.invalid(field, name, "must be valid format");
}

/** @param beginning what is said besides of a name that begins otherwise */
const iscsi =
  (beginning: string): Check =>
  (found, at, source) => {
    needs("targetPortal")(found, at, source);
    const [iqn, initiator] = [textAt(source, "iqn"), valueAt(source, "initiatorName")];
    if (iqn === "") found.required(`${at}.iqn`);
    else checkInitiator(found, `${at}.iqn`, iqn, beginning);
    found.between(`${at}.lun`, valueAt(source, "lun"), 0, 255);
    const isSecret = ["chapAuthDiscovery", "chapAuthSession"].some((field) => valueAt(source, field) === true);
    if (isSecret && !isObject(valueAt(source, "secretRef"))) found.required(`${at}.secretRef`);
    if (typeof initiator === "string") checkInitiator(found, `${at}.initiatorname`, initiator, beginning);
  };

export const checkPersistentIscsi: Check = both(iscsi(""), checkSecretReference("name"));

export const checkFibreChannel: Check = (found, at, source) => {
  const [targets, ids] = [listAt(source, "targetWWNs"), listAt(source, "wwids")];
  const field = `${at}.targetWWNs`;
  if (targets.length === 0 && ids.length === 0)
    found.required(field, "must specify either targetWWNs or wwids, but not both");
  if (targets.length > 0 && ids.length > 0)
    found.invalid(field, [...targets], "targetWWNs and wwids can not be specified simultaneously");
  if (targets.length === 0) return;
  const lun = valueAt(source, "lun");
  if (typeof lun === "number") found.between(`${at}.lun`, lun, 0, 255);
  else found.required(`${at}.lun`, "lun is required if targetWWNs is specified");
};

const withItems =
  (name: string): Check =>
  (found, at, source) => {
    needs(name)(found, at, source);
    checkMode(found, `${at}.defaultMode`, valueAt(source, "defaultMode"));
    for (const [index, item] of listAt(source, "items").entries()) checkItem(found, `${at}.items[${index}]`, item);
  };

const PAIRS = "must be a host:port pair or multiple pairs separated by commas";

export const checkQuobyte: Check = (found, at, source) => {
  const registry = textAt(source, "registry");
  if (registry === "") found.required(`${at}.registry`, PAIRS);
  else if (textAt(source, "tenant").length >= 65)
    found.required(`${at}.tenant`, "must be a UUID and may not exceed a length of 64 characters");
  else if (!registry.split(",").every((pair) => /^([^:[\]]*|\[[^[\]]*\]):[^:[\]]*$/.test(pair)))
    found.invalid(`${at}.registry`, registry, PAIRS);
  needs("volume")(found, at, source);
};

export const checkFlex: Check = (found, at, source) => {
  needs("driver")(found, at, source);
  const options = valueAt(source, "options");
  for (const key of Object.keys(isObject(options) ? options : {})) {
    const namespace = `.${(key.split("/")[0] ?? "").toLowerCase()}`;
    if (namespace.endsWith(".kubernetes.io") || namespace.endsWith(".k8s.io"))
      found.invalid(`${at}.options[${key}]`, key, "kubernetes.io and k8s.io namespaces are reserved");
  }
};

export const checkAzureDisk: Check = (found, at, source) => {
  needs("diskName", "diskURI")(found, at, source);
  found.oneOf(`${at}.cachingMode`, valueAt(source, "cachingMode"), ["None", "ReadOnly", "ReadWrite"]);
  const [kind, uri] = [valueAt(source, "kind"), textAt(source, "diskURI")];
  found.oneOf(`${at}.kind`, kind, ["Dedicated", "Managed", "Shared"]);
  if (typeof kind !== "string") return;
  const [begins, form] =
    kind === "Managed"
      ? [
          "/subscriptions/",
          "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        ]
      : ["https://", "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"];
  if (!uri.startsWith(begins)) found.notSupported(`${at}.diskURI`, uri, [form]);
};

const storageOs: Check = (found, at, source) => {
  found.requiredName(dnsLabel, `${at}.volumeName`, textAt(source, "volumeName"));
  const namespace = textAt(source, "volumeNamespace");
  if (namespace !== "") found.name(dnsLabel, `${at}.volumeNamespace`, namespace);
};

const csi: Check = (found, at, source) => {
  checkDriverName(found, `${at}.driver`, textAt(source, "driver"));
  const reference = valueAt(source, "nodePublishSecretRef");
  if (!isObject(reference)) return;
  const name = textAt(reference, "name");
  if (name === "") found.required(`${at}.nodePublishSecretRef.name`);
  else found.name(dnsSubdomain, `${at}.name`, name);
};

export const checkFlocker: Check = (found, at, source) => {
  const [name, id] = [textAt(source, "datasetName"), textAt(source, "datasetUUID")];
  if (name === "" && id === "") found.required(at, "one of datasetName and datasetUUID is required");
  if (name !== "" && id !== "")
    found.invalid(at, "resource", "datasetName and datasetUUID can not be specified simultaneously");
  if (name.includes("/")) found.invalid(`${at}.datasetName`, name, "must not contain '/'");
};

const ephemeral: Check = (found, at, source) => {
  const template = valueAt(source, "volumeClaimTemplate");
  if (!isObject(template)) {
    found.required(`${at}.volumeClaimTemplate`);
    return;
  }
  const here = `${at}.volumeClaimTemplate`;
  const metadata = (template["metadata"] ?? {}) as JsonObject;
  found.add(...validateAnnotations(metadata["annotations"], `${here}.metadata.annotations`));
  found.labels(`${here}.metadata.labels`, metadata["labels"]);
  for (const field of Object.keys(metadata))
    if (!["annotations", "labels", "creationTimestamp"].includes(field))
      found.forbidden(`${here}.metadata.${field}`, "cannot be set");
  checkClaimSpec(found, `${here}.spec`, template["spec"]);
};

/** Volumes of disks and services, by the fields that they need. */
export const REMOTE = {
  gcePersistentDisk: both(needs("pdName"), partition),
  awsElasticBlockStore: both(needs("volumeID"), partition),
  glusterfs: needs("endpoints", "path"),
  rbd: needs("monitors", "image"),
  cinder: both(needs("volumeID"), checkSecretReference("name")),
  cephfs: needs("monitors"),
  azureFile: needs("secretName", "shareName"),
  vsphereVolume: needs("volumePath"),
  photonPersistentDisk: needs("pdID"),
  portworxVolume: needs("volumeID"),
  storageos: both(storageOs, checkSecretReference("name")),
  scaleIO: needs("gateway", "system", "volumeName"),
} as const satisfies Readonly<Record<string, Check>>;

interface VolumeType {
  readonly check?: Check;
  /** How it is called where it is one too many, and where it is looked at. @default as its field */
  readonly shownForbidden?: string;
  readonly shown?: string;
}

/** In the order in which they are looked at: all but the first are too many. */
const TYPES: ReadonlyMap<string, VolumeType> = new Map<string, VolumeType>([
  ["emptyDir", {}],
  ["hostPath", { check: checkHostPath }],
  [
    "gitRepo",
    {
      check: (found, at, source) => {
        needs("repository")(found, at, source);
        checkDescending(found, `${at}.directory`, textAt(source, "directory"));
      },
    },
  ],
  ["gcePersistentDisk", { check: REMOTE.gcePersistentDisk, shown: "persistentDisk" }],
  ["awsElasticBlockStore", { check: REMOTE.awsElasticBlockStore }],
  ["secret", { check: withItems("secretName") }],
  ["nfs", { check: checkNfs }],
  ["iscsi", { check: iscsi(" starting with iqn, eui, or naa") }],
  ["glusterfs", { check: REMOTE.glusterfs }],
  ["flocker", { check: checkFlocker }],
  ["persistentVolumeClaim", { check: needs("claimName") }],
  ["rbd", { check: REMOTE.rbd }],
  ["cinder", { check: REMOTE.cinder }],
  ["cephfs", { check: REMOTE.cephfs, shownForbidden: "cephFS" }],
  ["quobyte", { check: checkQuobyte }],
  [
    "downwardAPI",
    {
      shownForbidden: "downwarAPI",
      check: (found, at, source) => {
        checkMode(found, `${at}.defaultMode`, valueAt(source, "defaultMode"));
        for (const file of listAt(source, "items")) checkDownwardFile(found, at, file);
      },
    },
  ],
  ["fc", { check: checkFibreChannel }],
  ["flexVolume", { check: checkFlex }],
  ["configMap", { check: withItems("name") }],
  ["azureFile", { check: REMOTE.azureFile }],
  ["vsphereVolume", { check: REMOTE.vsphereVolume }],
  ["photonPersistentDisk", { check: REMOTE.photonPersistentDisk }],
  ["portworxVolume", { check: REMOTE.portworxVolume }],
  ["azureDisk", { check: checkAzureDisk }],
  ["storageos", { check: REMOTE.storageos }],
  ["projected", { check: checkProjected }],
  ["scaleIO", { check: REMOTE.scaleIO }],
  ["csi", { check: csi }],
  ["ephemeral", { check: ephemeral }],
  ["image", {}],
]);

function checkVolume(found: Findings, at: string, volume: JsonObject, { metadata }: VolumeContext): void {
  let count = 0;
  const name = textAt(volume, "name");
  for (const field of Object.keys(volume)) if (field !== "name" && TYPES.has(field) && isObject(volume[field])) count++;
  let first = true;
  for (const [field, { check, shown = field, shownForbidden = field }] of count === 0 ? [] : TYPES) {
    const source = volume[field];
    if (!isObject(source)) continue;
    if (first) check?.(found, `${at}.${shown}`, source);
    else found.forbidden(`${at}.${shownForbidden}`, "may not specify more than 1 volume type");
    first = false;
  }
  if (count === 0) found.required(at, "must specify a volume type");
  const limit = parseQuantity(textAt(volume, "emptyDir", "sizeLimit"));
  if (limit !== undefined && limit.nano < 0n)
    found.forbidden(`${at}.emptyDir.sizeLimit`, "SizeLimit field must be a valid resource quantity");
  const portal = textAt(volume, "iscsi", "targetPortal");
  if (valueAt(volume, "iscsi", "initiatorName") !== undefined && `${name}:${portal}`.length > 64) {
    const why =
      "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
    found.invalid(`${at}.name`, name, why);
  }
  const image = volume["image"];
  if (isObject(image)) {
    if (metadata !== undefined && textAt(image, "reference") === "") found.required(`${at}.image.reference`);
    found.oneOf(`${at}.image.pullPolicy`, image["pullPolicy"], ["Always", "IfNotPresent", "Never"]);
  }
  if (isObject(volume["ephemeral"]) && metadata?.name && name !== "") {
    const claim = `${metadata.name}-${name}`;
    for (const problem of dnsSubdomain(claim))
      found.invalid(`${at}.name`, name, `PVC name ${JSON.stringify(claim)}: ${problem}`);
  }
}

/** @returns the volumes that can be mounted, by their names: those with which nothing is wrong */
export function checkVolumes(
  found: Findings,
  at: string,
  volumes: readonly Json[],
  context: VolumeContext,
): Map<string, JsonObject> {
  const usable = new Map<string, JsonObject>();
  const { metadata } = context;
  const claims = new Set(
    metadata?.name === undefined
      ? []
      : volumes
          .filter((one) => isObject(valueAt(one, "ephemeral")))
          .map((one) => `${metadata.name}-${textAt(one, "name")}`),
  );
  for (const [index, volume] of volumes.entries()) {
    if (!isObject(volume)) continue;
    const here = `${at}[${index}]`;
    const own = new Findings();
    checkVolume(own, here, volume, context);
    const name = textAt(volume, "name");
    own.requiredName(dnsLabel, `${here}.name`, name);
    if (usable.has(name)) own.duplicate(`${here}.name`, name);
    if (own.all.length === 0) usable.set(name, volume);
    else found.add(...own.all);
    const claim = textAt(volume, "persistentVolumeClaim", "claimName");
    if (claims.has(claim)) {
      const why = "must not reference a PVC that gets created for an ephemeral volume";
      found.invalid(`${here}.persistentVolumeClaim.claimName`, claim, why);
    }
  }
  return usable;
}
