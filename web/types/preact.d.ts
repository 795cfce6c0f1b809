/** The part of `htm/preact/standalone` (served as /vendor/preact.mjs) that the page uses; it ships no types of its own. */
export interface VNode {
  readonly type: unknown;
  readonly props: unknown;
}
export type Child = VNode | VNode[] | string | number | boolean | null | undefined;
export interface Ref<T> {
  current: T;
}
export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode;
export function render(tree: VNode, parent: Element): void;
export function useState<T>(initial: T | (() => T)): [T, (next: T | ((previous: T) => T)) => void];
export function useEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useLayoutEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useMemo<T>(make: () => T, inputs: readonly unknown[]): T;
export function useRef<T>(initial: T): Ref<T>;
