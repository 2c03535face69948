// Keyed children: a list of values kept in step with a list of views, touching only what changed.

/**
 * Returns `show(items)` for one parent. An item is `{key, value, make}`; `make(value)` gives a view `{node, update(value)}`.
 * A view lives as long as its key does, so open details, focus and selection stay. Values are compared by identity.
 * `onFocusLost()` is called when the focus was in a view that went, for the caller to say where it goes.
 */
export function keyed(parent, onFocusLost = () => {}) {
  const views = new Map();
  return (items) => {
    const wanted = new Set(items.map((item) => item.key));
    let lost = false;
    for (const [key, view] of views) {
      if (wanted.has(key)) continue;
      lost ||= view.node.contains(document.activeElement);
      view.node.remove();
      view.destroy?.();
      views.delete(key);
    }
    let place = parent.firstChild;
    for (const { key, value, make } of items) {
      let view = views.get(key);
      if (!view) {
        view = make(value);
        view.value = value;
        views.set(key, view);
      } else if (view.value !== value) {
        view.value = value;
        view.update?.(value);
      }
      if (view.node === place) place = place.nextSibling;
      else parent.insertBefore(view.node, place);
    }
    if (lost) onFocusLost();
  };
}
