import type { Json } from "../object/json.ts";
import { type KubeObject, listAt, textAt } from "../object/kube-object.ts";
import { type FieldError, invalid } from "../status/field-error.ts";
import { dns1035Label, type NameRule } from "../validation/names.ts";

/** All that is wrong with a name, as one error. */
export function joinedProblems(rule: NameRule, path: string, name: string): readonly FieldError[] {
  const problems = rule(name);
  return problems.length === 0 ? [] : [invalid(path, name, problems.join(","))];
}

/** A definition is called by what it defines. */
export function definitionNameErrors(crd: KubeObject): readonly FieldError[] {
  const name = `${textAt(crd, "spec", "names", "plural")}.${textAt(crd, "spec", "group")}`;
  if (crd.metadata.name === name) return [];
  return [invalid("metadata.name", crd.metadata.name, 'must be spec.names.plural+"."+spec.group')];
}

/** What is wrong with `apiextensions/v1.CustomResourceDefinitionNames`, whose names may be missing. */
export function namesErrors(names: Json | undefined, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ["plural", "singular"]) {
    const name = textAt(names, field);
    if (name !== "") errors.push(...joinedProblems(dns1035Label, `${path}.${field}`, name));
  }
  const [kind, listKind] = [textAt(names, "kind"), textAt(names, "listKind")];
  for (const [field, name] of Object.entries({ kind, listKind })) {
    const problems = dns1035Label(name.toLowerCase());
    if (name === "" || problems.length === 0) continue;
    const why = `may have mixed case, but should otherwise match: ${problems.join(",")}`;
    errors.push(invalid(`${path}.${field}`, name, why));
  }
  for (const [index, name] of listAt(names, "shortNames").entries())
    errors.push(...joinedProblems(dns1035Label, `${path}.shortNames[${index}]`, textAt(name)));
  if (kind !== "" && kind === listKind)
    errors.push(invalid(`${path}.listKind`, listKind, "kind and listKind may not be the same"));
  for (const [index, name] of listAt(names, "categories").entries())
    errors.push(...joinedProblems(dns1035Label, `${path}.categories[${index}]`, textAt(name)));
  return errors;
}
