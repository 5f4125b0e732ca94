import {
  type GoFunc,
  mapOf,
  named,
  pointerTo,
  type StructType,
  stringType,
  typed,
  type Value,
} from "@boxship/template";

/** Columns of a list, by the names that `--format` uses. */
export interface RowType<T> {
  /** Go's name of the row's type; errors of templates say it. */
  readonly goName: string;
  /** Header and value of each column; a value may need to know how the list is shown. */
  readonly columns: Readonly<Record<string, Column<T>>>;
  /** `{{.Label "key"}}`, for things that have labels. */
  readonly labels?: (row: T) => Readonly<Record<string, string>> | null | undefined;
}

export interface Column<T> {
  readonly header: string;
  readonly value: (row: T, view: View) => unknown;
}

/** How a list is shown. */
export interface View {
  /** Ids, commands and names are shortened. */
  readonly truncate: boolean;
  /** Now, in milliseconds since the epoch. */
  readonly now: number;
}

interface RawRow<T> {
  readonly row: T;
  readonly view: View;
  /** Names of the columns that a template has read. */
  readonly used: Set<string>;
}

/** The type of a list's rows for templates: its columns are methods. */
export function rowValues<T>(type: RowType<T>): (row: T, view: View, used?: Set<string>) => Value {
  const methods: Record<string, GoFunc> = {};
  for (const [name, column] of Object.entries(type.columns)) {
    methods[name] = {
      params: [],
      call: ({ row, view, used }: RawRow<T>) => {
        used.add(name);
        return column.value(row, view);
      },
    };
  }
  const { labels } = type;
  if (labels !== undefined) {
    methods["Label"] = {
      params: [stringType],
      call: ({ row }: RawRow<T>, key: string) => labels(row)?.[key] ?? "",
    };
  }
  const struct: StructType = {
    kind: "struct",
    name: type.goName,
    fields: [],
    methods,
    json: (raw) => rowObject(type, raw as RawRow<T>),
  };
  const pointer = pointerTo(struct);
  return (row, view, used = new Set()) => typed(pointer, { row, view, used } satisfies RawRow<T>);
}

function rowObject<T>(type: RowType<T>, { row, view }: RawRow<T>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(type.columns).map(([name, column]) => [name, column.value(row, view)]));
}

/** A column's header for a label: the last word of its key. */
function labelHeader(key: string): string {
  return (key.split(".").at(-1) ?? "").replaceAll(/[-_]/g, " ");
}

const plainHeaders = named("formatter.SubHeaderContext", mapOf(stringType, stringType), {});

const headersOfLabels = named("formatter.SubHeaderContext", mapOf(stringType, stringType), {
  methods: { Label: { params: [stringType], call: (_headers: unknown, key: string) => labelHeader(key) } },
});

/** What the line of headers is made from. */
export function headerValue<T>(type: RowType<T>): Value {
  const headers = Object.entries(type.columns).map(([name, column]) => [name, column.header]);
  // A method would hide the column of that name.
  return typed("Label" in type.columns ? plainHeaders : headersOfLabels, Object.fromEntries(headers));
}
