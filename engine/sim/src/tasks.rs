//! Actors as async functions, run by the world alone.
//!
//! There is no runtime: a task waits for an answer or an instant of virtual
//! time, the world marks it ready when that comes, and one task runs at a time
//! in the order in which they became ready. Wakers do nothing.

use crate::dice::Dice;
use crate::facts::Fact;
use crate::moment::Moment;
use crate::world::network::ConnId;
use crate::world::{Asked, Broken, ClientId, NodeIx, Shared, TaskId};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A task that has not ended.
struct Task {
    name: &'static str,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

/// All tasks.
pub struct Tasks {
    world: Shared,
    tasks: Vec<Option<Task>>,
}

impl Tasks {
    /// No tasks yet.
    pub const fn new(world: Shared) -> Self {
        Self {
            world,
            tasks: Vec::new(),
        }
    }

    /// Starts a task. `make` is given the task's door to the world.
    pub fn spawn<F>(&mut self, name: &'static str, make: impl FnOnce(Door) -> F, dice: Dice)
    where
        F: Future<Output = ()> + 'static,
    {
        let id = TaskId(self.tasks.len());
        let door = Door {
            world: Shared::clone(&self.world),
            id: ClientId(id.0),
            dice,
        };
        let future = Box::pin(make(door));
        self.tasks.push(Some(Task { name, future }));
        let mut world = self.world.borrow_mut();
        world.clients += 1;
        world.make_ready(id);
    }

    /// The names of the tasks that have not ended.
    pub fn unfinished(&self) -> Vec<String> {
        let tasks = self.tasks.iter().enumerate();
        let open = tasks.filter_map(|(n, task)| task.as_ref().map(|task| (n, task.name)));
        open.map(|(n, name)| format!("{name} (client {n})"))
            .collect()
    }

    /// Whether every task has ended.
    pub fn is_done(&self) -> bool {
        self.tasks.iter().all(Option::is_none)
    }

    /// Runs every task that can go on.
    pub fn run_ready(&mut self) {
        loop {
            let Some(id) = self.world.borrow_mut().next_ready() else {
                return;
            };
            let Some(place) = self.tasks.get_mut(id.0) else {
                continue;
            };
            let Some(task) = place else { continue };
            self.world.borrow_mut().running = id;
            let mut context = Context::from_waker(Waker::noop());
            if task.future.as_mut().poll(&mut context).is_ready() {
                *place = None;
            }
        }
    }
}

/// A task's door to the world.
pub struct Door {
    world: Shared,
    id: ClientId,
    /// The task's own chance.
    pub dice: Dice,
}

impl Door {
    /// The machine that the task runs on.
    pub const fn id(&self) -> ClientId {
        self.id
    }

    /// The world, for a moment.
    pub const fn world(&self) -> &Shared {
        &self.world
    }

    /// The instant.
    pub fn now(&self) -> Moment {
        self.world.borrow().now
    }

    /// Whether clients should finish what they have begun.
    pub fn is_over(&self) -> bool {
        self.world.borrow().is_over
    }

    /// Tells the checkers something.
    pub fn report(&self, fact: &Fact) {
        self.world.borrow_mut().report(fact);
    }

    /// Waits.
    pub fn sleep(&self, time: Duration) -> Sleep {
        Sleep {
            world: Shared::clone(&self.world),
            until: self.now() + time,
            is_planned: false,
        }
    }

    /// Waits for a random time.
    pub fn doze(&mut self, least: Duration, most: Duration) -> Sleep {
        let time = self.dice.between(least, most);
        self.sleep(time)
    }

    /// Opens a connection.
    pub fn connect(&self, node: NodeIx) -> Option<ConnId> {
        self.world.borrow_mut().connect(self.id, node)
    }

    /// Asks on a connection.
    pub fn ask(&self, conn: ConnId, number: i32, frame: Bytes, patience: Duration) -> Answer {
        let asked = self.world.borrow_mut().ask(conn, number, frame, patience);
        Answer {
            world: Shared::clone(&self.world),
            asked,
        }
    }
}

/// Waits for an instant.
pub struct Sleep {
    world: Shared,
    until: Moment,
    is_planned: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        {
            let mut world = self.world.borrow_mut();
            if world.now >= until {
                return Poll::Ready(());
            }
            if !self.is_planned {
                let task = world.running;
                world.wake_at(until, task);
            }
        }
        self.is_planned = true;
        Poll::Pending
    }
}

/// Waits for the answer to a question.
pub struct Answer {
    world: Shared,
    asked: Asked,
}

impl Future for Answer {
    type Output = Result<Bytes, Broken>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.world.borrow_mut().take_answer(self.asked);
        answer.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.world.borrow_mut().give_up(self.asked);
    }
}
