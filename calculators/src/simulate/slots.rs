//! Things by number, whose numbers are used again.

/// Things that come and go.
#[derive(Debug)]
pub(super) struct Slots<T> {
    things: Vec<T>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            things: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    /// Keeps `thing` under the number that it returns, until that is freed.
    pub(super) fn store(&mut self, thing: T) -> u32 {
        match self.free.pop() {
            Some(id) => {
                self.things[id as usize] = thing;
                id
            }
            None => {
                self.things.push(thing);
                (self.things.len() - 1) as u32
            }
        }
    }

    /// Nobody asks for this number any more.
    pub(super) fn free(&mut self, id: u32) {
        self.free.push(id);
    }

    pub(super) fn of(&self, id: u32) -> &T {
        &self.things[id as usize]
    }

    pub(super) fn of_mut(&mut self, id: u32) -> &mut T {
        &mut self.things[id as usize]
    }
}
