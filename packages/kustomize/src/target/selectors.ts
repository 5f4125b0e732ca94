import { type LabelSelector, matchesLabels, parseLabelSelector } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { RE2JS } from "re2js";
import { BuildFailure } from "../failure.ts";
import type { Selector } from "../kustomization.ts";
import type { Gvk } from "./gvk.ts";
import { effectiveNamespace, idText, type ResId } from "./res-id.ts";
import type { Resource } from "./resource.ts";

type Test = (text: string) => boolean;

/** A selector whose names are regular expressions that stand for the whole text; empty ones for any. */
export class SelectorTest {
  readonly #group: Test;
  readonly #version: Test;
  readonly #kind: Test;
  readonly #name: Test;
  readonly #namespace: Test;
  readonly #labels: LabelSelector;
  readonly #annotations: LabelSelector;

  constructor({ group, version, kind, name, namespace, labelSelector, annotationSelector }: Selector) {
    this.#group = whole(group);
    this.#version = whole(version);
    this.#kind = whole(kind);
    this.#name = whole(name);
    this.#namespace = whole(namespace);
    this.#labels = parseSelector(labelSelector);
    this.#annotations = parseSelector(annotationSelector);
  }

  gvk({ group, version, kind }: Gvk): boolean {
    return this.#group(group) && this.#version(version) && this.#kind(kind);
  }

  id({ gvk, name, namespace }: ResId): boolean {
    return this.gvk(gvk) && this.#name(name) && this.#namespace(namespace);
  }

  labelled({ labels, annotations }: Resource): boolean {
    return (
      matchesLabels(this.#labels, Object.fromEntries(labels)) &&
      matchesLabels(this.#annotations, Object.fromEntries(annotations))
    );
  }

  /** By the first name or the present one. */
  resource(resource: Resource): boolean {
    const ids = [resource.originalId, resource.id];
    return (
      ids.some((id) => this.#namespace(effectiveNamespace(id))) &&
      ids.some(({ name }) => this.#name(name)) &&
      this.gvk(resource.gvk) &&
      this.labelled(resource)
    );
  }
}

export function select(resources: readonly Resource[], selector: Selector): Resource[] {
  const test = new SelectorTest(selector);
  return resources.filter((resource) => test.resource(resource));
}

/** Regular expressions are Go's: a pattern is matched in linear time. @throws BuildFailure */
export function compileExpression(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new BuildFailure(errorMessage(error));
  }
}

function whole(pattern: string | undefined): Test {
  if (pattern === undefined || pattern === "") return () => true;
  const compiled = compileExpression(`^(?:${pattern})$`);
  return /^[\w-]+$/.test(pattern) ? (text) => text === pattern : (text) => compiled.matcher(text).find();
}

function parseSelector(text: string | undefined): LabelSelector {
  if (text === undefined || text === "") return [];
  try {
    return parseLabelSelector(text);
  } catch (error) {
    throw new BuildFailure(errorMessage(error));
  }
}

/** How messages name a selector's object. */
export function selectorId({ group = "", version = "", kind = "", name = "", namespace = "" }: Selector): ResId {
  return { gvk: { group, version, kind }, name, namespace, clusterScoped: false };
}

export const selectorText = (selector: Selector): string =>
  `${idText(selectorId(selector))}:a=${selector.annotationSelector ?? ""}:l=${selector.labelSelector ?? ""}`;
