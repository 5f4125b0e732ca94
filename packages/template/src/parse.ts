import { InvalidArgument } from "@boxship/base/errors";
import { describeToken, Lexer, type LexOptions, type Token, type TokenKind } from "./lex.ts";
import type {
  BranchNode,
  CommandNode,
  ListNode,
  Operand,
  PipeNode,
  Statement,
  TemplateNode,
  Tree,
  VariableNode,
} from "./node.ts";
import { isEmptyTree } from "./node.ts";
import { parseNumber } from "./parse-number.ts";
import { printNode } from "./print-node.ts";
import { quote, unquote } from "./quote.ts";

export interface ParseOptions extends Pick<LexOptions, "left" | "right"> {
  /** Whether a function of that name exists. */
  readonly hasFunction: (name: string) => boolean;
}

/** Deepest nesting of parentheses and of control structures; deeper ones are refused before the stack runs out. */
const MAX_NESTING = 1000;

const OPERAND_STARTS: ReadonlySet<TokenKind> = new Set<TokenKind>([
  "bool",
  "rune",
  "complex",
  "dot",
  "field",
  "identifier",
  "number",
  "nil",
  "rawString",
  "string",
  "variable",
  "leftParen",
]);

/** How a list of statements ended. */
type Terminator = { readonly type: "end" } | { readonly type: "else"; readonly position: number };

const isTerminator = (node: Statement | Terminator): node is Terminator => node.type === "end" || node.type === "else";

/**
 * Parses a template's text into its trees: the one of `name`, and one per `define` and `block` in it.
 *
 * @throws InvalidArgument with Go's text, `template: NAME:LINE: …`
 */
export function parse(name: string, text: string, options: ParseOptions): Map<string, Tree> {
  return new Parser(name, text, options).parse();
}

class Parser {
  readonly #parseName: string;
  readonly #text: string;
  readonly #options: ParseOptions;
  readonly #lexer: Lexer;
  readonly #trees = new Map<string, Tree>();
  /** Tokens that were put back; the last one comes next. */
  readonly #pending: Token[] = [];
  #variables = ["$"];
  #lastLine = 1;
  #actionLine = 0;
  #rangeDepth = 0;
  #nesting = 0;

  constructor(name: string, text: string, options: ParseOptions) {
    this.#parseName = name;
    this.#text = text;
    this.#options = options;
    this.#lexer = new Lexer(text, {
      ...options,
      breakKeyword: !options.hasFunction("break"),
      continueKeyword: !options.hasFunction("continue"),
    });
  }

  parse(): Map<string, Tree> {
    const nodes: Statement[] = [];
    const position = this.#peek().position;
    while (this.#peek().kind !== "eof") {
      if (this.#atDefinition()) {
        this.#definition();
        continue;
      }
      const node = this.#textOrAction();
      if (isTerminator(node)) this.#fail(`unexpected {{${node.type}}}`);
      nodes.push(node);
    }
    this.#add(this.#parseName, { type: "list", position, nodes });
    return this.#trees;
  }

  #fail(problem: string): never {
    throw new InvalidArgument(`template: ${this.#parseName}:${this.#lastLine}: ${problem}`);
  }

  #unexpected(token: Token, context: string): never {
    if (token.kind !== "error") this.#fail(`unexpected ${describeToken(token)} in ${context}`);
    let started = "";
    if (this.#actionLine !== 0 && this.#actionLine !== token.line) {
      const action = token.text.endsWith(" action") ? "" : " in action";
      started = `${action} started at ${this.#parseName}:${this.#actionLine}`;
    }
    this.#fail(token.text + started);
  }

  #next(): Token {
    const pending = this.#pending.pop();
    if (pending !== undefined) return pending;
    const token = this.#lexer.next();
    this.#lastLine = token.line;
    return token;
  }

  #putBack(...tokens: Token[]): void {
    this.#pending.push(...tokens);
  }

  #peek(): Token {
    const token = this.#next();
    this.#putBack(token);
    return token;
  }

  #nextNonSpace(): Token {
    let token = this.#next();
    while (token.kind === "space") token = this.#next();
    return token;
  }

  #peekNonSpace(): Token {
    const token = this.#nextNonSpace();
    this.#putBack(token);
    return token;
  }

  #expect(kind: TokenKind, context: string): Token {
    const token = this.#nextNonSpace();
    if (token.kind !== kind) this.#unexpected(token, context);
    return token;
  }

  /** Runs one level deeper; refuses to go too deep. */
  #nested<T>(inner: () => T): T {
    if (this.#nesting >= MAX_NESTING) this.#fail("max expression depth exceeded");
    this.#nesting++;
    const result = inner();
    this.#nesting--;
    return result;
  }

  #add(name: string, root: ListNode): void {
    const before = this.#trees.get(name);
    if (before === undefined || isEmptyTree(before.root)) {
      this.#trees.set(name, { name, parseName: this.#parseName, text: this.#text, root });
    } else if (!isEmptyTree(root)) {
      this.#fail(`template: multiple definition of template ${quote(name)}`);
    }
  }

  #atDefinition(): boolean {
    if (this.#peek().kind !== "leftDelim") return false;
    const delimiter = this.#next();
    const keyword = this.#nextNonSpace();
    if (keyword.kind === "define") return true;
    this.#putBack(keyword, delimiter);
    return false;
  }

  #definition(): void {
    const context = "define clause";
    const token = this.#nextNonSpace();
    if (token.kind !== "string" && token.kind !== "rawString") this.#unexpected(token, context);
    const name = this.#unquoted(token);
    this.#expect("rightDelim", context);
    this.#add(name, this.#body(context));
  }

  /** The statements of a definition, up to its end; it sees no variables of what is around it. */
  #body(context: string): ListNode {
    const outer = { variables: this.#variables, rangeDepth: this.#rangeDepth, actionLine: this.#actionLine };
    this.#variables = ["$"];
    this.#rangeDepth = 0;
    this.#actionLine = 0;
    const { list, terminator } = this.#nested(() => this.#itemList());
    if (terminator.type !== "end") this.#fail(`unexpected {{else}} in ${context}`);
    this.#variables = outer.variables;
    this.#rangeDepth = outer.rangeDepth;
    this.#actionLine = outer.actionLine;
    return list;
  }

  #itemList(): { readonly list: ListNode; readonly terminator: Terminator } {
    const nodes: Statement[] = [];
    const position = this.#peekNonSpace().position;
    while (this.#peekNonSpace().kind !== "eof") {
      const node = this.#textOrAction();
      if (isTerminator(node)) return { list: { type: "list", position, nodes }, terminator: node };
      nodes.push(node);
    }
    return this.#fail("unexpected EOF");
  }

  #textOrAction(): Statement | Terminator {
    const token = this.#nextNonSpace();
    if (token.kind === "text") return { type: "text", position: token.position, text: token.text };
    if (token.kind !== "leftDelim") this.#unexpected(token, "input");
    this.#actionLine = token.line;
    const node = this.#action();
    this.#actionLine = 0;
    return node;
  }

  #action(): Statement | Terminator {
    const token = this.#nextNonSpace();
    switch (token.kind) {
      case "block":
        return this.#block();
      case "break":
      case "continue":
        return this.#jump(token.kind, token.position);
      case "else":
        return this.#else();
      case "end":
        this.#expect("rightDelim", "end");
        return { type: "end" };
      case "if":
      case "range":
      case "with":
        return this.#branch(token.kind);
      case "template":
        return this.#template();
      default:
        this.#putBack(token);
        return { type: "action", position: token.position, pipe: this.#pipeline("command", "rightDelim") };
    }
  }

  #jump(kind: "break" | "continue", position: number): Statement {
    const token = this.#nextNonSpace();
    if (token.kind !== "rightDelim") this.#unexpected(token, `{{${kind}}}`);
    if (this.#rangeDepth === 0) this.#fail(`{{${kind}}} outside {{range}}`);
    return { type: kind, position };
  }

  #else(): Terminator {
    const token = this.#peekNonSpace();
    // "else if" and "else with" leave their keyword to the branch that they continue.
    if (token.kind === "if" || token.kind === "with") return { type: "else", position: token.position };
    return { type: "else", position: this.#expect("rightDelim", "else").position };
  }

  #branch(type: BranchNode["type"]): BranchNode {
    return this.#nested(() => {
      const outer = this.#variables.length;
      const pipe = this.#pipeline(type, "rightDelim");
      if (type === "range") this.#rangeDepth++;
      const { list, terminator } = this.#itemList();
      if (type === "range") this.#rangeDepth--;
      const elseList = terminator.type === "end" ? undefined : this.#elseBranch(type, terminator.position);
      this.#variables.length = outer;
      return { type, position: pipe.position, pipe, list, ...(elseList !== undefined && { elseList }) };
    });
  }

  #elseBranch(type: BranchNode["type"], position: number): ListNode {
    if (type !== "range" && this.#peek().kind === type) {
      this.#next();
      return { type: "list", position, nodes: [this.#branch(type)] };
    }
    const { list, terminator } = this.#itemList();
    if (terminator.type !== "end") this.#fail("expected end; found {{else}}");
    return list;
  }

  #block(): TemplateNode {
    const context = "block clause";
    const token = this.#nextNonSpace();
    const name = this.#templateName(token, context);
    const pipe = this.#pipeline(context, "rightDelim");
    this.#add(name, this.#body(context));
    return { type: "template", position: token.position, name, pipe };
  }

  #template(): TemplateNode {
    const context = "template clause";
    const token = this.#nextNonSpace();
    const name = this.#templateName(token, context);
    const after = this.#nextNonSpace();
    if (after.kind === "rightDelim") return { type: "template", position: token.position, name };
    this.#putBack(after);
    return { type: "template", position: token.position, name, pipe: this.#pipeline(context, "rightDelim") };
  }

  #templateName(token: Token, context: string): string {
    if (token.kind !== "string" && token.kind !== "rawString") this.#unexpected(token, context);
    return this.#unquoted(token);
  }

  #unquoted(token: Token): string {
    return unquote(token.text) ?? this.#fail("invalid syntax");
  }

  #pipeline(context: string, end: TokenKind): PipeNode {
    const { position } = this.#peekNonSpace();
    const { variables, assigns } = this.#declarations(context);
    const commands: CommandNode[] = [];
    for (;;) {
      const token = this.#nextNonSpace();
      if (token.kind === end) break;
      if (!OPERAND_STARTS.has(token.kind)) this.#unexpected(token, context);
      this.#putBack(token);
      commands.push(this.#command());
    }
    this.#checkPipeline(commands, context);
    return { type: "pipe", position, assigns, variables, commands };
  }

  /** `$x :=`, `$x =` or, in a range, `$i, $x :=` before a pipeline. */
  #declarations(context: string): Pick<PipeNode, "variables" | "assigns"> {
    const variables: VariableNode[] = [];
    const declare = (token: Token) => {
      variables.push({ type: "variable", position: token.position, names: [token.text] });
      this.#variables.push(token.text);
    };
    while (this.#peekNonSpace().kind === "variable") {
      const variable = this.#next();
      const after = this.#next();
      const next = after.kind === "space" ? this.#nextNonSpace() : after;
      if (next.kind === "assign" || next.kind === "declare") {
        declare(variable);
        return { variables, assigns: next.kind === "assign" };
      }
      if (next.kind !== "char" || next.text !== ",") {
        this.#putBack(next, ...(next === after ? [] : [after]), variable);
        break;
      }
      declare(variable);
      this.#checkMoreDeclarations(context, variables.length);
    }
    return { variables, assigns: false };
  }

  #checkMoreDeclarations(context: string, declared: number): void {
    if (context !== "range" || declared > 1) this.#fail(`too many declarations in ${context}`);
    const { kind } = this.#peekNonSpace();
    if (kind !== "variable" && kind !== "rightDelim" && kind !== "rightParen") {
      this.#fail("range can only initialize variables");
    }
  }

  #checkPipeline(commands: readonly CommandNode[], context: string): void {
    if (commands.length === 0) this.#fail(`missing value for ${context}`);
    for (const [index, command] of commands.entries()) {
      const first = command.operands[0]?.type;
      const constant =
        first === "bool" || first === "dot" || first === "nil" || first === "number" || first === "string";
      if (index > 0 && constant) this.#fail(`non executable command in pipeline stage ${index + 1}`);
    }
  }

  #command(): CommandNode {
    const { position } = this.#peekNonSpace();
    const operands: Operand[] = [];
    for (;;) {
      this.#peekNonSpace();
      const operand = this.#operand();
      if (operand !== undefined) operands.push(operand);
      const token = this.#next();
      if (token.kind === "space") continue;
      if (token.kind === "rightDelim" || token.kind === "rightParen") this.#putBack(token);
      else if (token.kind !== "pipe") this.#unexpected(token, "operand");
      break;
    }
    if (operands.length === 0) this.#fail("empty command");
    return { type: "command", position, operands };
  }

  /** A term and the fields that are chained to it. */
  #operand(): Operand | undefined {
    const term = this.#term();
    if (term === undefined || this.#peek().kind !== "field") return term;
    const { position } = this.#peek();
    const names: string[] = [];
    while (this.#peek().kind === "field") names.push(this.#next().text.slice(1));
    switch (term.type) {
      case "field":
      case "variable":
        return { type: term.type, position, names: [...term.names, ...names] };
      case "bool":
      case "string":
      case "number":
      case "nil":
      case "dot":
        return this.#fail(`unexpected . after term ${quote(printNode(term))}`);
      default:
        return { type: "chain", position, operand: term, names };
    }
  }

  #term(): Operand | undefined {
    const token = this.#nextNonSpace();
    const { position, text } = token;
    switch (token.kind) {
      case "identifier":
        if (!this.#options.hasFunction(text)) this.#fail(`function ${quote(text)} not defined`);
        return { type: "identifier", position, name: text };
      case "dot":
      case "nil":
        return { type: token.kind, position };
      case "variable":
        if (!this.#variables.includes(text)) this.#fail(`undefined variable ${quote(text)}`);
        return { type: "variable", position, names: [text] };
      case "field":
        return { type: "field", position, names: [text.slice(1)] };
      case "bool":
        return { type: "bool", position, value: text === "true" };
      case "rune":
      case "complex":
      case "number": {
        const number = parseNumber(token);
        return "problem" in number ? this.#fail(number.problem) : number;
      }
      case "leftParen":
        return this.#nested(() => this.#pipeline("parenthesized pipeline", "rightParen"));
      case "string":
      case "rawString":
        return { type: "string", position, quoted: text, text: this.#unquoted(token) };
      default:
        this.#putBack(token);
        return undefined;
    }
  }
}
