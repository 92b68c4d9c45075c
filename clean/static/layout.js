// Where each picture stands in the grid. Bundles of duplicates stay together; a row holds as many as fit.

/** `count` pictures, or those of `bundles` (their sizes), in rows of `columns`: the rows, and each picture's place. */
export function layOut(count, bundles, columns) {
  const sizes = bundles.length ? bundles : [count];
  const rows = []; // the index of the first picture in each, and one more at the end
  const rowOf = new Int32Array(count);
  const columnOf = new Int32Array(count);
  const bundleOf = new Int32Array(count);
  let index = 0;
  let column = columns; // the row before is full
  sizes.forEach((size, bundle) => {
    if (column + size > columns) column = columns;
    for (let i = 0; i < size; i++, index++, column++) {
      if (column === columns) {
        rows.push(index);
        column = 0;
      }
      rowOf[index] = rows.length - 1;
      columnOf[index] = column;
      bundleOf[index] = bundle;
    }
  });
  rows.push(count);
  return { rows, rowOf, columnOf, bundleOf, columns, rowCount: rows.length - 1 };
}

/** The picture `step` rows below (or above) `index`, in its column or the last before it. */
export function inRow(layout, index, step) {
  const row = Math.min(Math.max(layout.rowOf[index] + step, 0), layout.rowCount - 1);
  if (row === layout.rowOf[index]) return index;
  const column = layout.columnOf[index];
  let found = layout.rows[row];
  while (found + 1 < layout.rows[row + 1] && layout.columnOf[found + 1] <= column) found += 1;
  return found;
}
