import { validateDefinition, validateDefinitionUpdate } from "../custom/validate-definition.ts";
import type { KindHooks } from "../kind/kind.ts";
import { isObject, type Json, type JsonObject, setField } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { parseQuantity } from "../object/quantity.ts";
import { type FieldError, forbiddenField, invalid, notSupported, required, tooLong } from "../status/field-error.ts";
import { findingsOf } from "../validation/findings.ts";
import { immutable } from "../validation/validate-metadata.ts";
import { apiService } from "./api-service.ts";
import { checkClaimSpec } from "./storage/claim-spec.ts";

const TRACKED: KindHooks = { tracksGeneration: true };

const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/;
const KEY_HELP =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const LONGEST_KEY = 253;
/** Bytes of all values. */
const LARGEST_DATA = 2 ** 20;

/** @param coded fields whose values are base64: what they stand for counts */
function validateData(object: KubeObject, plain: string | undefined, coded: string): FieldError[] {
  const errors: FieldError[] = [];
  const dataOf = (field: string): JsonObject => (object[field] ?? {}) as JsonObject;
  const others = plain === undefined ? {} : dataOf(coded);
  let size = 0;
  for (const field of plain === undefined ? [coded] : [plain, coded]) {
    for (const [key, value] of Object.entries(dataOf(field))) {
      const problem = keyProblem(key);
      if (problem !== undefined) errors.push(invalid(`${field}[${key}]`, key, problem));
      if (field === plain && Object.hasOwn(others, key))
        errors.push(invalid(`${field}[${key}]`, key, `duplicate of key present in ${coded}`));
      size += Buffer.byteLength(textAt(value), field === coded ? "base64" : "utf8");
    }
  }
  if (size > LARGEST_DATA) errors.push(tooLong("[]", LARGEST_DATA));
  return errors;
}

function keyProblem(key: string): string | undefined {
  if (!CONFIG_KEY.test(key)) return KEY_HELP;
  if (key.length > LONGEST_KEY) return `must be no more than ${LONGEST_KEY} characters`;
  if (!key.startsWith(".")) return undefined;
  if (key === "." || key === "..") return `must not be '${key}'`;
  return key.startsWith("..") ? "must not start with '..'" : undefined;
}

function immutableData(object: KubeObject, old: KubeObject, ...fields: readonly string[]): FieldError[] {
  if (old["immutable"] !== true) return [];
  const why = "field is immutable when `immutable` is set";
  const errors = object["immutable"] === true ? [] : [forbiddenField("immutable", why)];
  const changed = fields.filter((field) => immutable(field, object[field], old[field]).length > 0);
  return [...errors, ...changed.map((field) => forbiddenField(field, why))];
}

const secret: KindHooks = {
  applyDefaults(object) {
    const plain = object["stringData"];
    if (!isObject(plain)) return;
    const data = isObject(object["data"]) ? object["data"] : {};
    for (const [key, value] of Object.entries(plain))
      setField(data, key, Buffer.from(textAt(value)).toString("base64"));
    object["data"] = data;
    delete object["stringData"];
  },
  validate: (object) => [...validateData(object, undefined, "data"), ...secretKeys(object)],
  validateUpdate: (object, old) => [
    ...immutable("type", object["type"], old["type"]),
    ...immutableData(object, old, "data"),
  ],
};

const SECRET_KEYS: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};

const secretKeys = (object: KubeObject): FieldError[] =>
  (SECRET_KEYS[textAt(object, "type")] ?? [])
    .filter((key) => valueAt(object, "data", key) === undefined)
    .map((key) => required(`data[${key}]`));

const LIMIT_TYPES = /^(Container|Pod|PersistentVolumeClaim|[^/]+\/[^/]+)$/;

const limitRange: KindHooks = {
  applyDefaults(object) {
    for (const item of listAt(object, "spec", "limits")) {
      if (!isObject(item) || item["type"] !== "Container") continue;
      const own = (field: string): JsonObject => (isObject(item[field]) ? item[field] : {});
      const given = { ...own("max"), ...own("default") };
      const asked = { ...own("min"), ...given, ...own("defaultRequest") };
      if (Object.keys(given).length > 0) item["default"] = given;
      if (Object.keys(asked).length > 0) item["defaultRequest"] = asked;
    }
  },
  validate: (object) =>
    listAt(object, "spec", "limits").flatMap((item, index) => {
      const at = `spec.limits[${index}]`;
      const type = textAt(item, "type");
      const errors = LIMIT_TYPES.test(type)
        ? []
        : [notSupported(`${at}.type`, type, ["Container", "PersistentVolumeClaim", "Pod"])];
      return [...errors, ...limitErrors(item, at, type)];
    }),
};

/** The least is not above the most, and what is given lies between. */
function limitErrors(item: Json, at: string, type: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const ordered: readonly (readonly [string, string])[] = [
    ["min", "max"],
    ["min", "defaultRequest"],
    ["defaultRequest", "default"],
    ["defaultRequest", "max"],
    ["default", "max"],
    ["min", "default"],
  ];
  for (const [low, high] of ordered) {
    const amounts = valueAt(item, low);
    for (const [name, text] of Object.entries(isObject(amounts) ? amounts : {})) {
      const [least, most] = [parseQuantity(textAt(text)), parseQuantity(textAt(item, high, name))];
      if (least !== undefined && most !== undefined && least.nano > most.nano) {
        const [is, than] = [NAMED[low] ?? low, NAMED[high] ?? high];
        errors.push(
          invalid(
            `${at}.${low}[${name}]`,
            textAt(text),
            `${is} value ${textAt(text)} is greater than ${than} value ${textAt(item, high, name)}`,
          ),
        );
      }
    }
  }
  if (type === "Pod") {
    for (const field of ["default", "defaultRequest"]) {
      if (valueAt(item, field) !== undefined)
        errors.push(forbiddenField(`${at}.${field}`, "may not be specified when `type` is 'Pod'"));
    }
  }
  return errors;
}

const NAMED: Readonly<Record<string, string>> = { defaultRequest: "default request" };

const claim: KindHooks = {
  prepareCreate(object) {
    object["status"] = { phase: "Pending" };
  },
  validate: ({ spec }) => findingsOf((found) => checkClaimSpec(found, "spec", spec)),
  validateUpdate(object, old) {
    const fixed = (one: KubeObject): JsonObject => {
      const own: JsonObject = { ...(one["spec"] as JsonObject) };
      for (const field of ["resources", "volumeAttributesClassName"]) delete own[field];
      if (textAt(old, "spec", "volumeName") === "") delete own["volumeName"];
      if (valueAt(old, "spec", "storageClassName") === undefined) delete own["storageClassName"];
      return own;
    };
    return immutable("spec", fixed(object), fixed(old)).length === 0
      ? []
      : [
          forbiddenField(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
          ),
        ];
  },
};

const LEGACY_SIGNER = "kubernetes.io/legacy-unknown";

const signingRequest: KindHooks = {
  validate(object) {
    const signer = textAt(object, "spec", "signerName");
    const usages = listAt(object, "spec", "usages");
    return [
      ...(signer === LEGACY_SIGNER
        ? [invalid("spec.signerName", signer, "the legacy signerName is not allowed via this API version")]
        : []),
      ...(usages.length === 0 ? [required("spec.usages", "")] : []),
    ];
  },
};

/** Whether there may be objects of a definition: what has never been served can still be called otherwise. */
const isServed = (crd: KubeObject): boolean =>
  listAt(crd, "status", "conditions").some(
    (one) => textAt(one, "type") === "Established" && textAt(one, "status") === "True",
  );

const customResourceDefinition: KindHooks = {
  tracksGeneration: true,
  applyDefaults(object) {
    const names = valueAt(object, "spec", "names");
    if (!isObject(names)) return;
    const kind = textAt(names, "kind");
    names["singular"] ??= kind.toLowerCase();
    names["listKind"] ??= `${kind}List`;
  },
  prepareCreate(object) {
    const stored = listAt(object, "spec", "versions").find((one) => valueAt(one, "storage") === true);
    object["status"] = { storedVersions: stored === undefined ? [] : [textAt(stored, "name")] };
  },
  // From now on objects may be stored so: nobody may learn of it only later.
  prepareUpdate(object, _old, subresource) {
    const stored = textAt(
      listAt(object, "spec", "versions").find((one) => valueAt(one, "storage") === true) ?? {},
      "name",
    );
    const status = object["status"];
    if (subresource !== "" || stored === "" || !isObject(status)) return;
    const before = listAt(status, "storedVersions");
    if (!before.includes(stored)) object["status"] = { ...status, storedVersions: [...before, stored] };
  },
  validateInTurns: validateDefinition,
  validateUpdate: (object, old) => [
    ...(isServed(old) ? ["group", "names.plural", "scope", "names.kind"] : ["group", "names.plural"]).flatMap(
      (field) => {
        const path = ["spec", ...field.split(".")];
        return immutable(`spec.${field}`, valueAt(object, ...path), valueAt(old, ...path));
      },
    ),
    ...validateDefinitionUpdate(object),
  ],
};

export const CLUSTER_HOOKS: Readonly<Record<string, KindHooks>> = {
  configmaps: {
    validate: (object) => validateData(object, "data", "binaryData"),
    validateUpdate: (object, old) => immutableData(object, old, "data", "binaryData"),
  },
  secrets: secret,
  limitranges: limitRange,
  persistentvolumeclaims: claim,
  "apiservices.apiregistration.k8s.io": apiService,
  "customresourcedefinitions.apiextensions.k8s.io": customResourceDefinition,
  "validatingadmissionpolicies.admissionregistration.k8s.io": TRACKED,
  "validatingadmissionpolicybindings.admissionregistration.k8s.io": TRACKED,
  "mutatingadmissionpolicies.admissionregistration.k8s.io": TRACKED,
  "mutatingadmissionpolicybindings.admissionregistration.k8s.io": TRACKED,
  "resourceslices.resource.k8s.io": TRACKED,
  "deviceclasses.resource.k8s.io": TRACKED,
  "certificatesigningrequests.certificates.k8s.io": signingRequest,
};
